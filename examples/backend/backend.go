package main

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/oneloop-ai/oneloop-go/client"
)

// linkTokens is what the backend needs of a *client.Client.
type linkTokens interface {
	GenerateLinkToken(context.Context, client.GenerateLinkTokenRequest) (*client.LinkToken, error)
	ValidateLinkToken(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error)
}

type backend struct {
	tokens  linkTokens
	session session
	log     *slog.Logger
}

func newBackend(tokens linkTokens, log *slog.Logger) http.Handler {
	b := &backend{tokens, newSession(), log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", servePage)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		b.session.signIn(w, r)
		servePage(w, r)
	})
	mux.HandleFunc("POST /link-token", b.createLinkToken)
	mux.Handle("GET /whoami", b.requireLinkToken(http.HandlerFunc(whoami)))

	// Browsers send the session's cookie also with what other pages ask for.
	csrf := http.NewCrossOriginProtection()
	csrf.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusForbidden, "cross-origin request")
	}))
	return csrf.Handler(mux)
}

// createLinkToken gives the signed-in customer a link token.
func (b *backend) createLinkToken(w http.ResponseWriter, r *http.Request) {
	customer, ok := b.session.customer(r)
	if !ok {
		writeError(w, http.StatusUnauthorized, "not signed in")
		return
	}
	token, err := b.tokens.GenerateLinkToken(r.Context(), client.GenerateLinkTokenRequest{
		CustomerID:  customer,
		WorkspaceID: demoWorkspace,
	})
	if err != nil {
		b.oneloopFailed(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, token)
}

// whoami says whose link token the request came with.
func whoami(w http.ResponseWriter, r *http.Request) {
	id, ok := identityFrom(r.Context())
	if !ok {
		writeError(w, http.StatusUnauthorized, textNotAdmitted)
		return
	}
	writeJSON(w, http.StatusOK, id)
}
