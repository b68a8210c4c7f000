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

// linkTokens is what the backend needs of a *client.Client.
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

// newBackend returns a handler for the page and for what the page calls. If fake
// is not nil, that includes what makes the fake API fail.
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
	// Browsers also send cookies with requests that other sites make.
	return withHeaders(http.NewCrossOriginProtection().Handler(mux))
}

// createLinkToken gives the signed-in customer a link token.
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
			f.Status = http.StatusInternalServerError // our request was wrong, not the caller's
		}
		b.logFailure(w, r, f)
		f.Write(w)
		return
	}
	writeJSON(w, token)
}

// logFailure logs errors. They quote Oneloop, so callers don't get to see them.
func (b *backend) logFailure(_ http.ResponseWriter, r *http.Request, f linkauth.Failure) {
	level := slog.LevelError
	if f.Status < 500 { // anybody can cause these
		level = slog.LevelInfo
	}
	b.log.Log(r.Context(), level, "request failed", "route", r.Pattern, "status", f.Status, "error", f.Err)
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // fails only if the client is gone
}
