package client_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A deafRelay forwards connections to a server. After deafen, it drops everything
// that arrives on existing connections without closing them, like a firewall that
// has forgotten them. New connections work.
type deafRelay struct {
	addr string

	mu    sync.Mutex
	conns []*relayed
}

type relayed struct{ deaf atomic.Bool }

func newDeafRelay(tb testing.TB, target string) *deafRelay {
	tb.Helper()
	r := new(deafRelay)
	r.addr = listen(tb, func(in net.Conn) {
		out, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer out.Close()
		c := new(relayed)
		r.mu.Lock()
		r.conns = append(r.conns, c)
		r.mu.Unlock()
		go func() {
			c.forward(out, in)
			_ = out.Close()
		}()
		c.forward(in, out)
	})
	return r
}

func (c *relayed) forward(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if c.deaf.Load() {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if _, writeErr := to.Write(buf[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

func (r *deafRelay) deafen() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.deaf.Store(true)
	}
}

// attemptTimeout is longer than 30 TLS handshakes take on a busy machine.
const attemptTimeout = 1500 * time.Millisecond

// When the existing connections stop responding, at most one call may fail, and not
// one for each connection.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	secure := serve(t, http.HandlerFunc(slowly), http2, func(s *httptest.Server) {
		s.TLS.CurvePreferences = []tls.CurveID{tls.X25519} // cheaper than the default
	})
	plain := serve(t, http.HandlerFunc(slowly))
	var wg sync.WaitGroup // t.Parallel runs at most one subtest per core at a time
	for name, test := range map[string]struct {
		policy     client.RetryPolicy
		timeout    time.Duration
		goroutines int
	}{
		"one goroutine":                  {client.RetryPolicy{AttemptTimeout: attemptTimeout}, 0, 1},
		"one goroutine, without retries": {client.RetryPolicy{AttemptTimeout: attemptTimeout, MaxAttempts: 1}, 0, 1},
		"30 goroutines":                  {client.RetryPolicy{AttemptTimeout: attemptTimeout}, 0, 30},
		"the call's own timeout":         {client.RetryPolicy{}, attemptTimeout, 1},
	} {
		for protocol, server := range map[string]*httptest.Server{"http": plain, "https": secure} {
			wg.Go(func() {
				t.Run(protocol+", "+name, func(t *testing.T) {
					policy := test.policy
					policy.BaseDelay, policy.MaxDelay = time.Millisecond, time.Millisecond
					relay := newDeafRelay(t, server.Listener.Addr().String())
					c := newClient(t, client.WithTimeout(test.timeout), client.WithBaseURL(protocol+"://"+relay.addr), client.WithRetryPolicy(policy))
					for i := 0; failedCalls(t, c, max(test.goroutines, 10), 1) > 0; i++ { // opens several connections
						if i == 5 {
							t.Fatal("calls failed before the connections stopped responding")
						}
					}
					relay.deafen()
					if failed := failedCalls(t, c, test.goroutines, 4); failed > 1 {
						t.Errorf("%d calls failed, want at most 1", failed)
					}
					start := time.Now()
					if failed := failedCalls(t, c, 1, 4); failed != 0 || time.Since(start) > attemptTimeout {
						t.Errorf("%d of the later calls failed in %v, want none", failed, time.Since(start))
					}
				})
			})
		}
	}
	wg.Wait()
}

// A transport that was replaced because its connections are silent must not keep
// them open.
func TestReplacedTransportConnections(t *testing.T) {
	t.Parallel()
	var all, open atomic.Int64
	server := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), http2, countConns(&all, &open))
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
	if !eventually(func() bool { return open.Load() <= 1 }) {
		t.Fatalf("%d of %d connections are still open", open.Load(), all.Load())
	}
}

// slowly responds after a delay, so that concurrent calls over HTTP/1.1 need several
// connections.
func slowly(w http.ResponseWriter, r *http.Request) {
	time.Sleep(10 * time.Millisecond)
	respondOK(w, r)
}

// failedCalls makes calls of both operations in several goroutines, and returns how
// many calls failed. A goroutine stops after its second failure.
func failedCalls(tb testing.TB, c *client.Client, goroutines, each int) int {
	tb.Helper()
	var failed atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			mine := 0
			for i := 0; i < each && mine < 2; i++ {
				if _, err := operations[(g+i)%2].call(context.Background(), c); err != nil {
					if mine++; failed.Add(1) == 1 {
						tb.Log(err)
					}
				}
			}
		})
	}
	wg.Wait()
	return int(failed.Load())
}
