package client_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

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

// Dialing and the TLS handshake may take 3 seconds each. Together that is less than
// the attempt timeout, so an attempt that can't connect was not processed.
func TestOwnTransportConnectTimeout(t *testing.T) {
	silent := func() (net.Conn, error) {
		conn, _ := net.Pipe()
		return conn, nil
	}
	for name, test := range map[string]struct {
		dial func(ctx context.Context) (net.Conn, error)
		want time.Duration
	}{
		"dialing": {func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, dialError(ctx.Err())
		}, 3 * time.Second},
		"TLS handshake": {func(context.Context) (net.Conn, error) { return silent() }, 3 * time.Second},
		"both": {func(context.Context) (net.Conn, error) {
			time.Sleep(2 * time.Second)
			return silent()
		}, 5 * time.Second},
	} {
		for _, op := range operations {
			t.Run(op.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					setDefaultTransport(t, &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return test.dial(ctx) }})
					var attempts []client.Attempt
					_, err := op.call(t.Context(), newClient(t, client.WithTimeout(0), record(&attempts)))
					if err == nil || len(attempts) != 3 {
						t.Fatalf("got %v after %d attempts, want 3 because nothing was sent", err, len(attempts))
					}
					for _, a := range attempts {
						if a.Duration != test.want {
							t.Errorf("attempt %d took %v, want %v: %v", a.Number, a.Duration, test.want, a.Err)
						}
					}
				})
			})
		}
	}
}
