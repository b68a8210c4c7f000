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

// deafRelay forwards connections to a server until it is told to drop whatever
// comes on those it has: as after a failover, or in a firewall that forgot them.
// Nothing is closed, and later connections work.
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

// attemptTimeout is more than 30 TLS handshakes take on a busy machine.
const attemptTimeout = 700 * time.Millisecond

// When the established connections fall silent, one call may fail: not one for
// each connection, and not all until somebody notices.
func TestSilentConnectionsCostOneCall(t *testing.T) {
	secure := serve(t, http.HandlerFunc(slowly), http2, func(s *httptest.Server) {
		s.TLS.CurvePreferences = []tls.CurveID{tls.X25519} // cheaper than the default
	})
	plain := serve(t, http.HandlerFunc(slowly))
	// Which the Clients' own transports are copies of.
	setDefaultTransport(t, secure.Client().Transport)
	var wg sync.WaitGroup // t.Parallel would run no more of them at once than there are cores
	for name, test := range map[string]struct {
		policy     client.RetryPolicy
		opts       []client.Option
		goroutines int
	}{
		"one goroutine":                  {client.RetryPolicy{AttemptTimeout: attemptTimeout}, nil, 1},
		"one goroutine, without retries": {client.RetryPolicy{AttemptTimeout: attemptTimeout, MaxAttempts: 1}, nil, 1},
		"30 goroutines":                  {client.RetryPolicy{AttemptTimeout: attemptTimeout}, nil, 30},
		"the call's own timeout":         {client.RetryPolicy{}, []client.Option{client.WithTimeout(attemptTimeout)}, 1},
	} {
		for protocol, server := range map[string]*httptest.Server{"http": plain, "https": secure} {
			wg.Go(func() {
				t.Run(protocol+", "+name, func(t *testing.T) {
					policy := test.policy
					policy.BaseDelay, policy.MaxDelay = time.Millisecond, time.Millisecond
					relay := newDeafRelay(t, server.Listener.Addr().String())
					c := newClient(t, append(test.opts, client.WithBaseURL(protocol+"://"+relay.addr), client.WithRetryPolicy(policy))...)
					for i := 0; callsThatFail(t, c, max(test.goroutines, 10), 1) > 0; i++ { // connections, idle at the end
						if i == 5 {
							t.Fatal("before anything fell silent")
						}
					}
					relay.deafen()
					if failed := callsThatFail(t, c, test.goroutines, 4); failed > 1 {
						t.Errorf("%d calls failed, want one at most", failed)
					}
					start := time.Now()
					if failed := callsThatFail(t, c, 1, 4); failed != 0 || time.Since(start) > attemptTimeout {
						t.Errorf("%d calls failed later, in %v", failed, time.Since(start))
					}
				})
			})
		}
	}
	wg.Wait()
}

// slowly responds after so long that calls at the same time need connections of
// their own over HTTP/1.1.
func slowly(w http.ResponseWriter, r *http.Request) {
	time.Sleep(10 * time.Millisecond)
	respondOK(w, r)
}

// callsThatFail makes calls of both operations in several goroutines at once,
// and returns how many of them failed. A goroutine gives up after its second
// failure.
func callsThatFail(tb testing.TB, c *client.Client, goroutines, each int) int {
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
