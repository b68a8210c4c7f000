package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// An interface of your own: where a test is about your code alone, and Oneloop
// is a value or an error. The client is not part of the test.

type generateFunc func(context.Context, client.GenerateLinkTokenRequest) (*client.LinkToken, error)

func (f generateFunc) GenerateLinkToken(ctx context.Context, req client.GenerateLinkTokenRequest) (*client.LinkToken, error) {
	return f(ctx, req)
}

func TestWithAnInterface(t *testing.T) {
	tokens := generateFunc(func(context.Context, client.GenerateLinkTokenRequest) (*client.LinkToken, error) {
		return nil, &client.ErrorResponse{StatusCode: 429}
	})
	if w := ask(newHandler(tokens)); w.Code != http.StatusTooManyRequests {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
