package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// Not parallel: it counts goroutines.
func TestConcurrentUse(t *testing.T) {
	const goroutines, calls = 64, 100
	before := runtime.NumGoroutine()
	var conns, open atomic.Int64
	server := serve(t, http.HandlerFunc(respondOK), countConns(&conns, &open))
	c := newClient(t, client.WithBaseURL(server.URL))
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range calls {
				if _, err := operations[i%2].call(t.Context(), c); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d connections for %d calls on %d goroutines", conns.Load(), goroutines*calls, goroutines)
	if got := conns.Load(); got > 2*goroutines {
		t.Errorf("%d connections for %d goroutines, want at most %d", got, goroutines, 2*goroutines)
	}
	c.CloseIdleConnections()
	if left := goroutinesAbove(before + 3); left > 0 { // one of the three is the server's
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines were left behind:\n%s", left, stacks[:runtime.Stack(stacks, true)])
	}
}

func TestCloseIdleConnections(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]client.Option{
		"own transport":    nil,
		"custom transport": {via(new(http.Transport))},
	} {
		t.Run(name, func(t *testing.T) {
			var all, open atomic.Int64
			server := serve(t, http.HandlerFunc(respondOK), countConns(&all, &open))
			c := newClient(t, append(opts, client.WithBaseURL(server.URL))...)
			for range 2 { // the Client remains usable
				if _, err := validate.call(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				if open.Load() != 1 {
					t.Fatalf("%d open connections, want 1", open.Load())
				}
				c.CloseIdleConnections()
				for i := 0; open.Load() != 0; i++ {
					if i == 500 {
						t.Fatal("the idle connection was not closed")
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
}

// If the server has closed an idle connection, net/http resends a GET on its own,
// within the same attempt.
func TestConnectionClosedWhileIdle(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			var attempts []client.Attempt
			server := serve(t, http.HandlerFunc(respondOK))
			c := newClient(t, client.WithBaseURL(server.URL), quick, record(&attempts))
			for range 20 {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				server.CloseClientConnections()
			}
			if !op.post && len(attempts) != 20 {
				t.Errorf("%d attempts for 20 calls, want 20", len(attempts))
			}
		})
	}
}

// After a failover, all idle connections may be dead. The next call must succeed
// all the same.
func TestDeadIdleConnections(t *testing.T) {
	t.Parallel()
	const n = 20
	var dead atomic.Bool
	var waiting atomic.Int64
	release := make(chan struct{})
	base := rawServer(t, func(conn net.Conn, connection, _ int) bool {
		if dead.Load() && connection <= n {
			return false // close the connection on its next use
		}
		if connection <= n {
			waiting.Add(1)
			<-release // wait until each call has its own connection
		}
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(validated), validated)
		return err == nil
	})
	c := newClient(t, client.WithBaseURL(base), quick)
	done := make(chan error, n)
	for range n {
		go func() {
			_, err := validate.call(t.Context(), c)
			done <- err
		}()
	}
	for waiting.Load() < n {
		time.Sleep(time.Millisecond)
	}
	close(release)
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	dead.Store(true)
	if _, err := validate.call(t.Context(), c); err != nil {
		t.Error(err)
	}
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
	for range 10 {
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
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _ = validate.call(ctx, c)
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
