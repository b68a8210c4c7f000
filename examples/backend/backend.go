package main

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

type backend struct {
	oneloop   *client.Client
	workspace string
	signIn    signIn
}

// newBackend returns a handler for the page and the endpoints that it calls. If fake
// is not nil, the page can make it fail.
func newBackend(oneloop *client.Client, workspace string, fake *clienttest.API) http.Handler {
	b := &backend{oneloop, workspace, signIn(rand.Text())}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /link-token", b.linkToken)
	mux.Handle("GET /usage", linkauth.New(oneloop, linkauth.WithFailure(logFailure)).Wrap(http.HandlerFunc(usage)))
	mux.HandleFunc("POST /sign-out", func(w http.ResponseWriter, _ *http.Request) { setCookie(w, "") })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		setCookie(w, string(b.signIn))
		_ = page.Execute(w, fake != nil)
	})
	mux.Handle("GET /", http.FileServerFS(pageFiles))
	if fake != nil {
		mux.HandleFunc("POST /fake/{control}", control(fake))
	}
	// Browsers may send cookies even with requests from other sites.
	return withHeaders(http.NewCrossOriginProtection().Handler(mux))
}

// linkToken responds with a link token for the customer who is signed in.
func (b *backend) linkToken(w http.ResponseWriter, r *http.Request) {
	customer, ok := b.signIn.customer(r)
	if !ok {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	token, err := b.oneloop.GenerateLinkToken(r.Context(), client.GenerateLinkTokenRequest{
		CustomerID:  customer,
		WorkspaceID: b.workspace,
	})
	if err != nil {
		f := linkauth.FailureOf(r.Context(), err)
		logFailure(w, r, f)
		f.Write(w)
		return
	}
	writeJSON(w, token)
}

// usage responds with figures of the customer to whom the request's link token
// belongs. The middleware has validated it.
func usage(w http.ResponseWriter, r *http.Request) {
	v, _ := linkauth.FromContext(r.Context())
	writeJSON(w, map[string]any{
		"customerId":  v.CustomerID,
		"workspaceId": v.WorkspaceID,
		"requests":    12480, // yours come from your own database
		"errors":      31,
	})
}

// logFailure logs what callers must not see, because it may quote Oneloop.
func logFailure(_ http.ResponseWriter, r *http.Request, f linkauth.Failure) {
	if f.Status >= 500 { // anyone can cause a 401 or 499
		slog.Error("request failed", "route", r.Pattern, "status", f.Status, "error", f.Err)
	}
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has disconnected
}
