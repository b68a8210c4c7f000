package client_test

import (
	"context"
	"net"
	"net/http"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The tests in this file replace http.DefaultTransport, so they are not
// parallel.

// The Client uses a fake in http.DefaultTransport, whether it was set before or after
// New.
func TestFakeDefaultTransport(t *testing.T) {
	before := newClient(t)
	setDefaultTransport(t, responds(200, validated))
	for name, c := range map[string]*client.Client{
		"before":              before,
		"after":               newClient(t),
		"with an http.Client": newClient(t, client.WithHTTPClient(new(http.Client))),
	} {
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Errorf("Client created %s: %v", name, err)
		}
	}
}

// The Client uses the DialContext function of http.DefaultTransport.
func TestOwnTransportDialContext(t *testing.T) {
	server := serve(t, http.HandlerFunc(respondOK))
	setDefaultTransport(t, &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}})
	if _, err := validate.call(t.Context(), newClient(t, client.WithBaseURL("http://localhost:1"))); err != nil {
		t.Error(err)
	}
}
