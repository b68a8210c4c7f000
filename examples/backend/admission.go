package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/oneloop-ai/oneloop-go/client"
)

// identity says for whom a link token was made.
type identity struct {
	WorkspaceID string `json:"workspaceId"`
	CustomerID  string `json:"customerId"`
}

type identityKey struct{}

var errNotValid = errors.New("oneloop calls it not valid")

// identityFrom returns whom requireLinkToken has admitted.
func identityFrom(ctx context.Context) (identity, bool) {
	id, ok := ctx.Value(identityKey{}).(identity)
	return id, ok
}

// requireLinkToken lets a request through to next only where Oneloop calls its
// bearer token valid. next learns from identityFrom whose it is.
func (b *backend) requireLinkToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeError(w, http.StatusUnauthorized, textNotAdmitted)
			return
		}
		v, err := b.tokens.ValidateLinkToken(r.Context(), strings.TrimSpace(token))
		if err == nil && !v.Valid {
			err = errNotValid
		}
		switch {
		case err == nil:
			id := identity{WorkspaceID: v.WorkspaceID, CustomerID: v.CustomerID}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), identityKey{}, id)))
		case errors.Is(err, errNotValid), errors.Is(err, client.ErrInvalidArgument), errors.Is(err, client.ErrBadRequest):
			b.log.InfoContext(r.Context(), "link token refused", "error", err)
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			writeError(w, http.StatusUnauthorized, textNotAdmitted)
		default:
			b.oneloopFailed(w, r, err)
		}
	})
}
