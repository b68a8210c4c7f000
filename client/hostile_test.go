package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// After 101 the body is the connection itself, which no context ends.
func TestSwitchingProtocolsDoesNotHang(t *testing.T) {
	gone := make(chan struct{})
	base := rawServer(t, func(conn net.Conn, _, _ int) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // until the client closes it
		close(gone)
		return false
	})
	_, err := validate.call(t.Context(), newClient(t, client.WithBaseURL(base), quick))
	if e := asResponse(t, err); e.StatusCode != 101 || e.Attempts != 1 {
		t.Errorf("got %v after %d attempts", e, e.Attempts)
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the connection was not closed")
	}
}

// http.Client keeps a goroutine and a timer for its Timeout until the body of
// the answer is closed.
func TestUsersTimeoutLeavesNothingBehind(t *testing.T) {
	for _, status := range []int{200, 400, 503} {
		s := newScript(responds(status, validated))
		c := newClient(t, client.WithHTTPClient(&http.Client{Transport: s, Timeout: time.Hour}), quick)
		before := runtime.NumGoroutine()
		for range 100 {
			_, _ = validate.call(t.Context(), c)
		}
		for i := 0; runtime.NumGoroutine() > before+10; i++ {
			if i == 500 {
				t.Fatalf("status %d: %d goroutines were left behind", status, runtime.NumGoroutine()-before)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// closing counts bodies that are open.
type closing struct {
	io.Reader
	open *atomic.Int64
}

func (c closing) Close() error {
	c.open.Add(-1)
	return nil
}

func TestBodiesAreClosedAndContextsEnded(t *testing.T) {
	long := strings.Repeat(" ", 1<<20+1)
	for name, answer := range map[string]func() *http.Response{
		"200":           func() *http.Response { return response(200, validated) },
		"malformed 200": func() *http.Response { return response(200, "{}") },
		"oversize 200":  func() *http.Response { return response(200, long) },
		"400":           func() *http.Response { return response(400, "") },
		"oversize 503":  func() *http.Response { return response(503, long) },
		"503":           func() *http.Response { return response(503, "") },
		"302":           func() *http.Response { return response(302, "", "Location", "http://[::1") },
		"101":           func() *http.Response { return response(101, "") },
		"truncated": func() *http.Response {
			resp := response(200, "")
			resp.Body = io.NopCloser(failingReader{io.ErrUnexpectedEOF})
			return resp
		},
	} {
		t.Run(name, func(t *testing.T) {
			var open atomic.Int64
			s := newScript(func(*http.Request) (*http.Response, error) {
				open.Add(1)
				resp := answer()
				resp.Body = closing{resp.Body, &open}
				return resp, nil
			})
			_, _ = validate.call(t.Context(), newClient(t, via(s), quick))
			if s.attempts() == 0 || open.Load() != 0 {
				t.Errorf("%d bodies of %d attempts are open", open.Load(), s.attempts())
			}
			for _, req := range s.requests {
				if req.Context().Err() == nil {
					t.Error("the attempt's context has not ended: its timer still runs")
				}
			}
		})
	}
}

// A truncated error answer is kept as far as it came.
func TestTruncatedErrorBody(t *testing.T) {
	base := rawServer(t, func(conn net.Conn, _, _ int) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\nabc")
		return false
	})
	_, err := validate.call(t.Context(), newClient(t, client.WithBaseURL(base), quick))
	if e := asResponse(t, err); string(e.Body) != "abc" {
		t.Errorf("got the body %q", e.Body)
	}
}

// Calls whose answers are slow to come in whole do not delay others: they still
// use their connections, so one more may be dialled at once.
func TestSlowBodiesDoNotDelayOtherCalls(t *testing.T) {
	fastest := time.Hour
	for range 5 { // the machine may be busy
		fastest = min(fastest, besideSlowBodies(t))
	}
	if t.Logf("a call next to ten slow ones took %v", fastest); fastest > 15*time.Millisecond {
		t.Errorf("it was held up for %v", fastest)
	}
}

func besideSlowBodies(t *testing.T) time.Duration {
	t.Helper()
	slow := make(chan struct{})
	var calls atomic.Int64
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if calls.Add(1) <= 10 {
			_ = http.NewResponseController(w).Flush()
			<-slow
		}
		_, _ = io.WriteString(w, validated)
	}))
	c := newClient(t, client.WithBaseURL(server.URL), quick)
	done := make(chan error, 10)
	for range 10 {
		go func() {
			_, err := validate.call(t.Context(), c)
			done <- err
		}()
	}
	for calls.Load() < 10 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond) // the headers of all ten have come
	start := time.Now()
	if _, err := validate.call(t.Context(), c); err != nil {
		t.Error(err)
	}
	took := time.Since(start)
	close(slow)
	for range 10 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return took
}

// An HTTP/2 stream whose answer was read whole is not reset.
func TestHTTP2StreamsAreNotReset(t *testing.T) {
	var resets atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(validated)))
		_, _ = io.WriteString(w, validated)
		_ = http.NewResponseController(w).Flush() // the end of the stream comes in a frame of its own
		select {
		case <-r.Context().Done():
			resets.Add(1)
		case <-time.After(20 * time.Millisecond):
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	c := newClient(t, client.WithBaseURL(server.URL), quick, client.WithHTTPClient(server.Client()))
	for range 10 {
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if resets.Load() != 0 {
		t.Errorf("%d of 10 streams were reset", resets.Load())
	}
}

// After a silent failover all idle connections are dead. They are given up
// together, instead of two by two in each attempt.
func TestDeadIdleConnections(t *testing.T) {
	const n = 20
	var dead atomic.Bool
	var waiting atomic.Int64
	release := make(chan struct{})
	base := rawServer(t, func(conn net.Conn, connection, _ int) bool {
		if dead.Load() && connection <= n {
			return false // dies on use
		}
		if connection <= n {
			waiting.Add(1)
			<-release // so that there are n connections
		}
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(validated))+"\r\n\r\n"+validated)
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

// An attempt is not sent after the call's time has run out.
func TestNothingIsSentAfterTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(503, "", "Retry-After", "0"), responds(200, validated))
		c := newClient(t, via(s), client.WithTimeout(time.Second), client.WithRetryPolicy(client.RetryPolicy{BaseDelay: 1, MaxDelay: 1}), client.WithObserver(func(context.Context, client.Attempt) { time.Sleep(time.Minute) }))
		_, err := validate.call(t.Context(), c)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, client.ErrServer) || s.attempts() != 1 {
			t.Errorf("got %v after %d requests", err, s.attempts())
		}
	})
}

func TestAttemptDurationAndTimeoutTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []client.Attempt
		stopped := func(req *http.Request) (*http.Response, error) { // does not say why
			<-req.Context().Done()
			return nil, errors.New("stopped")
		}
		s := newScript(stopped)
		c := newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1, AttemptTimeout: 3 * time.Second}), record(&got))
		_, err := validate.call(t.Context(), c)
		if !errors.Is(err, context.DeadlineExceeded) || got[0].Duration != 3*time.Second {
			t.Errorf("got %v after %v", err, got[0].Duration)
		}
	})
	for want, opts := range map[string][]client.Option{
		"the attempt timed out: context deadline exceeded after 3 attempts": {client.WithRetryPolicy(client.RetryPolicy{BaseDelay: 1, MaxDelay: 1, AttemptTimeout: 20 * time.Millisecond})},
		"the call timed out: context deadline exceeded":                     {client.WithTimeout(20 * time.Millisecond)},
	} {
		server := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		c := newClient(t, append(opts, client.WithBaseURL(server.URL))...)
		if _, err := validate.call(t.Context(), c); err == nil || err.Error() != "oneloop: validateLinkToken: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
