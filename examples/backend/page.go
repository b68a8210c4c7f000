package main

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/oneloop-ai/oneloop-go/client"
)

//go:embed index.html page.css page.js
var pageFiles embed.FS

// page has one parameter: whether there are controls for the fake API.
var page = template.Must(template.ParseFS(pageFiles, "index.html"))

// policy allows the page to load only its own files. A page with Oneloop's key
// manager must also allow inline styles and connections to client.DefaultBaseURL.
const policy = "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

type headerKey struct{}

// withHeaders sets the headers of all responses. It also stores them in the context,
// so that reportAttempt can add to them.
func withHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), headerKey{}, h)))
	})
}

// reportAttempt is an observer. It reports the backend's requests to Oneloop to the
// page, in Server-Timing headers.
func reportAttempt(ctx context.Context, a client.Attempt) {
	if h, ok := ctx.Value(headerKey{}).(http.Header); ok {
		h.Add("Server-Timing", fmt.Sprintf(`attempt;desc="%s %d";dur=%.1f, wait;dur=%d`,
			a.Operation, a.StatusCode, a.Duration.Seconds()*1000, a.RetryIn.Milliseconds()))
	}
}
