package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// goroutinesAbove waits until there are at most limit goroutines. It returns how
// many more there still are.
func goroutinesAbove(limit int) int {
	eventually(func() bool { return runtime.NumGoroutine() <= limit })
	return max(0, runtime.NumGoroutine()-limit)
}

// The Client keeps the connections of many concurrent calls, and closes them all in
// the end. Not parallel: it counts goroutines.
func TestConcurrentUse(t *testing.T) {
	const calls, rounds = 150, 4
	before := runtime.NumGoroutine()
	var conns, open atomic.Int64
	var together [rounds]sync.WaitGroup // so that each call of a round needs a connection of its own
	var requests atomic.Int64
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		round := &together[(requests.Add(1)-1)/calls]
		round.Done()
		round.Wait()
		respondOK(w, r)
	}), countConns(&conns, &open))
	c := newClient(t, client.WithBaseURL(server.URL))
	for round := range rounds {
		together[round].Add(calls)
		var wg sync.WaitGroup
		for i := range calls {
			wg.Go(func() {
				if _, err := operations[i%2].call(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	t.Logf("%d connections for %d times %d calls", conns.Load(), rounds, calls)
	if got := conns.Load(); got > calls*4/3 { // net/http may dial just before a connection becomes idle
		t.Errorf("%d connections for %d concurrent calls", got, calls)
	}
	c.CloseIdleConnections()
	if left := goroutinesAbove(before + 3); left > 0 { // one of the three is the server's
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines were left behind:\n%s", left, stacks[:runtime.Stack(stacks, true)])
	}
}

func TestCloseIdleConnections(t *testing.T) {
	t.Parallel()
	withEachTransport(t, func(t *testing.T, transport client.Option) {
		var all, open atomic.Int64
		server := serve(t, http.HandlerFunc(respondOK), countConns(&all, &open))
		c := newClient(t, transport, client.WithBaseURL(server.URL))
		for range 2 { // the Client remains usable
			if _, err := validate.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if open.Load() != 1 {
				t.Fatalf("%d open connections, want 1", open.Load())
			}
			c.CloseIdleConnections()
			if !eventually(func() bool { return open.Load() == 0 }) {
				t.Fatal("the idle connection was not closed")
			}
		}
	})
}

// A failed call must not close idle connections that others use through the same
// transport.
func TestFailedCallsKeepIdleConnections(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	other := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), countConns(&conns, new(atomic.Int64)))
	failing := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))

	transport := new(http.Transport)
	neighbor := &http.Client{Transport: transport}
	c := newClient(t, via(transport), client.WithBaseURL(failing.URL), quick)
	gone := newClient(t, via(transport), client.WithBaseURL("http://"+closedPort(t)), quick)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		resp, err := neighbor.Get(other.URL)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		for _, op := range operations {
			if _, err := op.call(t.Context(), c); !errors.Is(err, client.ErrServer) {
				t.Fatal(err)
			}
			if _, err := op.call(t.Context(), gone); err == nil {
				t.Fatal("a call to a closed port succeeded")
			}
			_, _ = op.call(canceled, c)
		}
	}
	if conns.Load() != 1 {
		t.Errorf("the neighbor needed %d connections, want 1", conns.Load())
	}
}

// After a 101, the response body is the connection itself. Reading it would ignore
// the context and could block.
func TestSwitchingProtocolsDoesNotHang(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	base := rawServer(t, func(conn net.Conn, _, _ int) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, err := io.Copy(io.Discard, conn)
		ended <- err
		return false
	})
	_, err := validate.call(t.Context(), newClient(t, client.WithBaseURL(base), quick))
	if e := asResponse(t, err); e.StatusCode != 101 || e.Attempts != 1 {
		t.Errorf("got %v after %d attempts", e, e.Attempts)
	}
	if err := <-ended; errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the client did not close the connection")
	}
}

// openBody is a response body. open counts the bodies that are not closed yet.
type openBody struct {
	io.Reader
	open *atomic.Int64
}

func (b openBody) Close() error {
	b.open.Add(-1)
	return nil
}

// Every attempt closes its response body and cancels its context.
func TestAttemptCleanup(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(" ", 1<<20+1)
	for name, step := range map[string]roundTripFunc{
		"200":           responds(200, validated),
		"malformed 200": responds(200, "{}"),
		"oversize 200":  responds(200, long),
		"400":           responds(400, ""),
		"oversize 503":  responds(503, long),
		"503":           responds(503, ""),
		"302":           responds(302, "", "Location", "http://[::1"),
		"101":           responds(101, ""),
		"truncated":     truncated(200),
	} {
		t.Run(name, func(t *testing.T) {
			var open atomic.Int64
			s := newScript(func(req *http.Request) (*http.Response, error) {
				open.Add(1)
				resp, err := step(req)
				resp.Body = openBody{resp.Body, &open}
				return resp, err
			})
			_, _ = validate.call(t.Context(), newClient(t, via(s), quick))
			if s.attempts() == 0 || open.Load() != 0 {
				t.Errorf("%d bodies are still open after %d attempts", open.Load(), s.attempts())
			}
			for i, req := range s.requests {
				if req.Context().Err() == nil {
					t.Errorf("the context of attempt %d was not canceled: its timer is still running", i+1)
				}
			}
		})
	}
}

// An http.Client with a Timeout keeps a goroutine and a timer until the response
// body is closed. Not parallel: it counts goroutines.
func TestHTTPClientTimeoutLeak(t *testing.T) {
	for _, status := range []int{200, 400, 503} {
		hc := &http.Client{Transport: responds(status, validated), Timeout: time.Hour}
		c := newClient(t, client.WithHTTPClient(hc), quick)
		before := runtime.NumGoroutine()
		for range 100 {
			_, _ = validate.call(t.Context(), c)
		}
		if left := goroutinesAbove(before + 10); left > 0 {
			t.Errorf("status %d: 100 calls left %d goroutines behind", status, left+10)
		}
	}
}

// Not parallel: it counts goroutines.
func TestNewStartsNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 100 {
		newClient(t)
	}
	if got := runtime.NumGoroutine(); got > before+50 { // earlier tests may still start and end goroutines
		t.Errorf("100 calls of New started %d goroutines", got-before)
	}
}
