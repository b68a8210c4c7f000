package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
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
