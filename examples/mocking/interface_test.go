package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/internal/readme"
)

// An interface of your own, for tests of your own logic that need only a value or an
// error from Oneloop. These tests do not use the client.

type generateFunc func(context.Context, client.GenerateLinkTokenRequest) (*client.LinkToken, error)

func (f generateFunc) GenerateLinkToken(ctx context.Context, req client.GenerateLinkTokenRequest) (*client.LinkToken, error) {
	return f(ctx, req)
}

func TestWithInterface(t *testing.T) {
	tokens := generateFunc(func(context.Context, client.GenerateLinkTokenRequest) (*client.LinkToken, error) {
		return nil, &client.ErrorResponse{StatusCode: http.StatusTooManyRequests, RetryAfter: 2 * time.Second}
	})
	if w := ask(newHandler(tokens)); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

func TestStatusesMatchREADME(t *testing.T) {
	readme.CheckStatuses(t, "generating", func(ctx context.Context, err error) int {
		handler := newHandler(generateFunc(func(context.Context, client.GenerateLinkTokenRequest) (*client.LinkToken, error) {
			return nil, err
		}))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/workspaces/engines/link-token", nil))
		return w.Code
	})
}
