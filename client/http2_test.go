package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// Not parallel: it replaces http.DefaultTransport.
func TestHTTP2(t *testing.T) {
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
		respondOK(w, r)
	}), http2)
	setDefaultTransport(t, server.Client().Transport) // the Client's own transport is a copy of it
	for name, opts := range map[string][]client.Option{
		"own transport":    nil,
		"custom transport": {client.WithHTTPClient(server.Client())},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, append(opts, client.WithBaseURL(server.URL))...)
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for _, op := range operations {
						if _, err := op.call(t.Context(), c); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// The Client must not reset a stream after it has read the whole response.
func TestHTTP2StreamsNotReset(t *testing.T) {
	t.Parallel()
	var resets atomic.Int64
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(validated)))
		_, _ = io.WriteString(w, validated)
		_ = http.NewResponseController(w).Flush() // so that the end of the stream is a separate frame
		select {
		case <-r.Context().Done():
			resets.Add(1)
		case <-time.After(20 * time.Millisecond):
		}
	}), http2)
	c := newClient(t, client.WithBaseURL(server.URL), client.WithHTTPClient(server.Client()))
	for range 10 {
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if resets.Load() != 0 {
		t.Errorf("%d of 10 streams were reset", resets.Load())
	}
}

// After a GOAWAY, net/http resends the request without any limit.
func TestGoawayIsNotReplayedForever(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			server := newFrameServer(t, func(c frameConn, _ uint32) bool {
				c.goaway(0)
				return true // and leave the connection open
			})
			var attempts []client.Attempt
			c := newClient(t, via(server.transport()), client.WithBaseURL(server.baseURL), quick, record(&attempts))
			_, err := op.call(t.Context(), c)
			if err == nil {
				t.Fatal("the call succeeded")
			}
			if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v matches a context error, but the context has not ended", err)
			}
			t.Logf("%d requests in %d attempts: %v", server.requests.Load(), len(attempts), err)
			if got := server.requests.Load(); got > 16 {
				t.Errorf("the server received %d requests, want at most 16", got)
			}
		})
	}
}
