package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// What callers are told is fixed: errors, which quote Oneloop, go to the log.
const (
	textNotAdmitted = "the link token is missing or not valid"
	textUnavailable = "link tokens are not available at the moment"
)

// statusClientClosedRequest is what nginx logs where nobody waits for the answer.
const statusClientClosedRequest = 499

// oneloopFailed answers where Oneloop gave no decision. The caller can't help
// it, also where Oneloop refuses our SDK key (401 or 403), and may try later.
func (b *backend) oneloopFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(r.Context().Err(), context.Canceled) {
		b.log.InfoContext(r.Context(), "client went away", "route", r.Pattern, "error", err)
		w.WriteHeader(statusClientClosedRequest) // net/http's default would be 200
		return
	}
	b.log.ErrorContext(r.Context(), "oneloop call failed", "route", r.Pattern, "error", err)
	w.Header().Set("Retry-After", strconv.FormatInt(retryAfter(err), 10))
	writeError(w, http.StatusServiceUnavailable, textUnavailable)
}

// retryAfter returns what Oneloop asked for in whole seconds, rounded up.
func retryAfter(err error) int64 {
	var answer *client.ErrorResponse
	if !errors.As(err, &answer) || answer.RetryAfter <= 0 {
		return 5
	}
	return int64((answer.RetryAfter-1)/time.Second) + 1
}

func writeError(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{text})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only where the client is gone
}
