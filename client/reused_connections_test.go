package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The tests in this file replace http.DefaultTransport, so they are not parallel.
// They use the clock of a synctest bubble, so their limits on calls and connections
// hold on a busy machine, too.

// openIdle leaves n idle connections in c, or one if the protocol is HTTP/2.
func (s *pipeServer) openIdle(t *testing.T, c *client.Client, n int) {
	t.Helper()
	if strings.HasPrefix(s.baseURL, "https") {
		n = 1
	}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := validate.call(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	time.Sleep(time.Minute / 2)
}

// slowly responds after a delay, so that concurrent calls over HTTP/1.1 need several
// connections.
func slowly(w http.ResponseWriter, r *http.Request) {
	time.Sleep(10 * time.Millisecond)
	respondOK(w, r)
}

// If a server or a load balancer forgets its idle connections, that may cost one
// POST, but not every second one until none of the connections is left.
func TestDeadConnectionsCostOneCall(t *testing.T) {
	const n = 20
	for _, f := range []fate{isClosed, isReset, isSilent} {
		for name, gap := range map[string]time.Duration{"in a row": 0, "apart": 30 * time.Millisecond} {
			withPipes(t, string(f)+"/"+name, "HTTP/1.1", slowly, func(t *testing.T, server *pipeServer) {
				c := newClient(t, client.WithBaseURL(server.baseURL))
				server.openIdle(t, c, n)
				server.kill(f)
				var failed atomic.Int64
				var wg sync.WaitGroup
				for range n {
					call := func() {
						if _, err := generate.call(t.Context(), c); err != nil {
							failed.Add(1)
						}
					}
					if gap == 0 {
						call()
					} else {
						wg.Go(call)
						time.Sleep(gap)
					}
				}
				wg.Wait()
				if failed.Load() > 1 {
					t.Errorf("%d of %d calls failed, want at most 1", failed.Load(), n)
				}
			})
		}
	}
}

// A firewall may forget connections without closing them, so that they fall silent.
// It is not always the Client that ends a request on such a connection: the program's
// transport may have a timeout, and callers may give up.
func TestSilentConnectionsCostOneCall(t *testing.T) {
	const n, calls = 8, 12
	attemptTimeout := client.RetryPolicy{AttemptTimeout: 1500 * time.Millisecond}
	once := attemptTimeout
	once.MaxAttempts = 1
	for _, protocol := range protocols {
		for name, test := range map[string]struct {
			header, caller, timeout time.Duration
			policy                  client.RetryPolicy
			goroutines              int
		}{
			"ResponseHeaderTimeout":       {header: time.Second},
			"canceled by callers":         {caller: time.Second},
			"WithTimeout":                 {timeout: 400 * time.Millisecond},
			"AttemptTimeout":              {policy: attemptTimeout},
			"AttemptTimeout, one attempt": {policy: once},
			"30 goroutines":               {policy: attemptTimeout, goroutines: 30},
		} {
			for _, op := range operations {
				withPipes(t, protocol+"/"+name+"/"+op.name, protocol, slowly, func(t *testing.T, server *pipeServer) {
					server.transport.ResponseHeaderTimeout = test.header
					c := newClient(t, client.WithBaseURL(server.baseURL), client.WithTimeout(test.timeout), client.WithRetryPolicy(test.policy))
					server.openIdle(t, c, max(n, test.goroutines))
					server.kill(isSilent)
					var failed atomic.Int64
					var wg sync.WaitGroup
					for range max(1, test.goroutines) {
						wg.Go(func() {
							for range calls {
								ctx, cancel := context.WithCancel(t.Context())
								if test.caller > 0 {
									time.AfterFunc(test.caller, cancel)
								}
								if _, err := op.call(ctx, c); err != nil {
									failed.Add(1)
								}
								cancel()
							}
						})
					}
					wg.Wait()
					if failed.Load() > 1 {
						t.Errorf("%d of %d calls failed, want at most 1", failed.Load(), calls*max(1, test.goroutines))
					}
				})
			}
		}
	}
}

// A transport that was replaced because its connections are silent must not keep
// them open.
func TestReplacedTransportConnections(t *testing.T) {
	withPipes(t, "HTTP/2", "HTTP/2", hangOnWire, func(t *testing.T, server *pipeServer) {
		policy := client.RetryPolicy{MaxAttempts: 1, AttemptTimeout: time.Second}
		c := newClient(t, client.WithBaseURL(server.baseURL), client.WithRetryPolicy(policy))
		for range 10 { // only a timeout on a reused connection replaces the transport
			if _, err := validate.call(t.Context(), c); err == nil {
				t.Fatal("the call succeeded")
			}
		}
		if server.conns.Load() < 3 {
			t.Fatalf("%d connections, want at least 3", server.conns.Load())
		}
		c.CloseIdleConnections()
		time.Sleep(5 * time.Second) // idle connections would time out after 90 s
		if server.open.Load() > 1 {
			t.Errorf("%d of %d connections are still open", server.open.Load(), server.conns.Load())
		}
	})
}

// Under load, a server closes a few of many connections. If the Client gave up all
// others, every burst would have to open most of its connections again.
func TestBurstsKeepConnections(t *testing.T) {
	const bursts, each, closed = 10, 50, 3
	var inBurst atomic.Int64
	withPipes(t, "HTTP/1.1", "HTTP/1.1", func(w http.ResponseWriter, r *http.Request) {
		if inBurst.Add(1) <= closed {
			panic(http.ErrAbortHandler)
		}
		slowly(w, r)
	}, func(t *testing.T, server *pipeServer) {
		c := newClient(t, client.WithBaseURL(server.baseURL))
		inBurst.Store(closed)
		server.openIdle(t, c, each)
		for range bursts {
			inBurst.Store(0)
			var wg sync.WaitGroup
			for range each {
				wg.Go(func() {
					if _, err := generate.call(t.Context(), c); err != nil {
						t.Error(err)
					}
				})
				time.Sleep(100 * time.Microsecond)
			}
			wg.Wait()
			time.Sleep(time.Second)
		}
		got := server.conns.Load()
		if limit := int64(each + 2*bursts*closed); got > limit {
			t.Errorf("%d connections for %d bursts of %d calls, want at most %d", got, bursts, each, limit)
		}
	})
}

// If one response of many is too slow, the others show that the connections work.
func TestSlowResponseKeepsConnections(t *testing.T) {
	const calls, atOnce, oneIn = 1000, 20, 100
	for _, protocol := range protocols {
		var requests, slow atomic.Int64
		withPipes(t, protocol, protocol, func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1)%oneIn == oneIn/2 {
				slow.Add(1)
				time.Sleep(time.Second)
			}
			time.Sleep(atOnce * 5 * time.Millisecond)
			respondOK(w, r)
		}, func(t *testing.T, server *pipeServer) {
			// The next call begins before the next response arrives.
			policy := client.RetryPolicy{AttemptTimeout: 603 * time.Millisecond}
			c := newClient(t, client.WithBaseURL(server.baseURL), client.WithRetryPolicy(policy))
			var wg sync.WaitGroup
			for i := range calls {
				wg.Go(func() {
					if _, err := operations[i%2].call(t.Context(), c); err != nil {
						t.Error(err)
					}
				})
				time.Sleep(5 * time.Millisecond)
			}
			wg.Wait()
			limit := 2 * (atOnce + slow.Load()) // HTTP/1.1 can't use a connection after a timeout
			if protocol == "HTTP/2" {
				limit = 1
			}
			got := server.conns.Load()
			if got > limit {
				t.Errorf("%d connections for %d calls at once and %d slow responses, want at most %d", got, atOnce, slow.Load(), limit)
			}
		})
	}
}

// A stream that the server resets, or a caller who gives up early, says nothing
// against the connection.
func TestQuietWorkerKeepsConnection(t *testing.T) {
	const calls = 60
	resetStream := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	resetLate := func(http.ResponseWriter, *http.Request) {
		time.Sleep(600 * time.Millisecond)
		panic(http.ErrAbortHandler)
	}
	for name, test := range map[string]struct {
		handler http.HandlerFunc // of every tenth request
		timeout time.Duration    // of the caller
	}{
		"reset streams": {resetStream, time.Minute},
		"late resets":   {resetLate, time.Minute},
		"early cancels": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 200 * time.Millisecond},
	} {
		for _, op := range operations {
			var requests atomic.Int64
			withPipes(t, name+"/"+op.name, "HTTP/2", func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1)%10 == 0 {
					test.handler(w, r)
					return
				}
				respondOK(w, r)
			}, func(t *testing.T, server *pipeServer) {
				c := newClient(t, client.WithBaseURL(server.baseURL))
				for range calls {
					ctx, cancel := context.WithCancel(t.Context())
					time.AfterFunc(test.timeout, cancel)
					if _, err := op.call(ctx, c); err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					cancel()
					time.Sleep(200 * time.Millisecond)
				}
				if got := server.conns.Load(); got != 1 {
					t.Errorf("%d connections for %d calls, want 1", got, calls)
				}
			})
		}
	}
}

// For one GET, net/http would try all idle connections. After two dead ones, the
// Client's own transport closes the others.
func TestDeadConnectionsAreNotAllTried(t *testing.T) {
	const n = 50
	for _, f := range []fate{isClosed, isReset} {
		withPipes(t, string(f), "HTTP/1.1", slowly, func(t *testing.T, server *pipeServer) {
			var attempts []client.Attempt
			c := newClient(t, client.WithBaseURL(server.baseURL), record(&attempts))
			server.openIdle(t, c, n)
			server.kill(f)
			attempts = nil
			before := server.served.Load()
			if _, err := validate.call(t.Context(), c); err != nil || len(attempts) != 1 {
				t.Errorf("got %v after %d attempts, want 1", err, len(attempts))
			}
			sent := server.wasted.Load() + server.served.Load() - before
			if sent > 4 {
				t.Errorf("one GET was sent %d times, want at most 4", sent)
			}
		})
	}
}

// A program's own transport is left alone: others may use its idle connections.
func TestDeadConnectionsOfCustomTransport(t *testing.T) {
	const n = 20
	withPipes(t, "HTTP/1.1", "HTTP/1.1", slowly, func(t *testing.T, server *pipeServer) {
		transport := &http.Transport{MaxIdleConnsPerHost: 2 * n, DialContext: server.dial}
		askNeighbor := func() {
			resp, err := (&http.Client{Transport: transport}).Get("http://" + neighbor)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		c := newClient(t, client.WithBaseURL(server.baseURL), via(transport))
		server.openIdle(t, c, n)
		askNeighbor()
		server.kill(isClosed)
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Error(err)
		}
		askNeighbor()
		if got := server.conns.Load(); got != n+2 {
			t.Errorf("%d connections, want %d, one more for the call, and one for the neighbor", got, n)
		}
	})
}
