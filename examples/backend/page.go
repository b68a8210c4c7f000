package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/oneloop-ai/oneloop-go/client"
)

var (
	//go:embed index.html
	pageTemplate string
	//go:embed page.css page.js
	pageFiles embed.FS
)

// contentSecurityPolicy allows the page to load only its own files.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// newPage returns the page. If fake is true, the page says so, and has controls for
// the fake API.
func newPage(fake bool) []byte {
	var page bytes.Buffer
	template.Must(template.New("page").Parse(pageTemplate)).Execute(&page, fake)
	return page.Bytes()
}

type headerKey struct{}

// withHeaders sets the headers of all responses. It also stores them in the context,
// so that reportAttempt can add to them.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), headerKey{}, h)))
	})
}

// reportAttempt is an observer. It reports the backend's requests to Oneloop to the
// page, in Server-Timing headers.
func reportAttempt(ctx context.Context, a client.Attempt) {
	if h, ok := ctx.Value(headerKey{}).(http.Header); ok {
		h.Add("Server-Timing", fmt.Sprintf("attempt;desc=\"%s %d\";dur=%.1f", a.Operation, a.StatusCode, a.Duration.Seconds()*1000))
		if a.WillRetry {
			h.Add("Server-Timing", fmt.Sprintf("wait;dur=%d", a.RetryIn.Milliseconds()))
		}
	}
}
