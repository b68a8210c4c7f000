package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
	"github.com/oneloop-ai/oneloop-go/internal/fakeserver"
)

// linkTokens is the part of *client.Client that the backend uses.
type linkTokens interface {
	linkauth.Validator
	GenerateLinkToken(context.Context, client.GenerateLinkTokenRequest) (*client.LinkToken, error)
}

type backend struct {
	tokens   linkTokens
	signIn   signIn
	sessions sessions
	log      *slog.Logger
}

// newBackend returns a handler for the page and the endpoints that it calls. If fake
// is not nil, they include the control endpoints of the fake API.
func newBackend(tokens linkTokens, fake *fakeserver.Server, log *slog.Logger) http.Handler {
	b := &backend{tokens: tokens, signIn: newSignIn(), log: log}
	m := linkauth.New(tokens, linkauth.WithFailure(b.logFailure))
	page := newPage(fake != nil)

	mux := http.NewServeMux()
	mux.Handle("GET /page.css", http.FileServerFS(pageFiles))
	mux.Handle("GET /page.js", http.FileServerFS(pageFiles))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		b.signIn.setCookie(w, r)
		_, _ = w.Write(page)
	})
	mux.HandleFunc("POST /link-token", b.createLinkToken)
	mux.Handle("POST /session", m.Wrap(http.HandlerFunc(b.sessions.start)))
	mux.HandleFunc("GET /whoami", b.sessions.whoami)
	mux.HandleFunc("DELETE /session", b.sessions.end)
	if fake != nil {
		mux.Handle("/_fake/", fake)
	}
	// Browsers may send cookies even with requests from other sites.
	return withHeaders(http.NewCrossOriginProtection().Handler(mux))
}

// createLinkToken responds with a link token for the signed-in customer.
func (b *backend) createLinkToken(w http.ResponseWriter, r *http.Request) {
	customer, ok := b.signIn.customer(r)
	if !ok {
		http.Error(w, "not signed in", http.StatusUnauthorized)
		return
	}
	token, err := b.tokens.GenerateLinkToken(r.Context(), client.GenerateLinkTokenRequest{
		CustomerID:  customer,
		WorkspaceID: demoWorkspace,
	})
	if err != nil {
		f := linkauth.FailureOf(r.Context(), err)
		if f.Status == http.StatusUnauthorized {
			f.Status = http.StatusInternalServerError // our request was wrong, and not the caller's
		}
		b.logFailure(w, r, f)
		f.Write(w)
		return
	}
	writeJSON(w, token)
}

// logFailure logs a failure with its error. Callers must not see the error, because
// it may quote Oneloop.
func (b *backend) logFailure(_ http.ResponseWriter, r *http.Request, f linkauth.Failure) {
	level := slog.LevelError
	if f.Status < 500 { // anyone can cause these
		level = slog.LevelInfo
	}
	b.log.Log(r.Context(), level, "request failed", "route", r.Pattern, "status", f.Status, "error", f.Err)
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has disconnected
}
