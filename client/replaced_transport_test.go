package client_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A replaced transport must not keep its connections open. Not parallel: it replaces
// http.DefaultTransport.
func TestReplacedTransportConnections(t *testing.T) {
	var all, open atomic.Int64
	server := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), http2, countConns(&all, &open))
	setDefaultTransport(t, server.Client().Transport)
	c := newClient(t, client.WithBaseURL(server.URL), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1, AttemptTimeout: 50 * time.Millisecond}))
	for range 10 { // only a timeout on a reused connection replaces the transport
		if _, err := validate.call(t.Context(), c); err == nil {
			t.Fatal("the call succeeded")
		}
	}
	if all.Load() < 3 {
		t.Fatalf("%d connections, want at least 3", all.Load())
	}
	c.CloseIdleConnections()
	for start := time.Now(); open.Load() > 1; time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 5*time.Second {
			t.Fatalf("%d of %d connections are still open", open.Load(), all.Load())
		}
	}
}
