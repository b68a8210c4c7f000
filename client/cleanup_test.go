package client_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// openBody is a response body. open counts the bodies that are not closed yet.
type openBody struct {
	io.Reader
	open *atomic.Int64
}

func (b openBody) Close() error {
	b.open.Add(-1)
	return nil
}

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

// goroutinesAbove waits up to 5 seconds until there are at most limit goroutines. It
// returns how many more there still are.
func goroutinesAbove(limit int) int {
	for range 500 {
		if runtime.NumGoroutine() <= limit {
			return 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	return runtime.NumGoroutine() - limit
}

// Not parallel: it counts goroutines.
func TestNewStartsNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 100 {
		if _, err := client.New(testKey); err != nil {
			t.Fatal(err)
		}
	}
	if got := runtime.NumGoroutine(); got > before+50 { // earlier tests may still start and end goroutines
		t.Errorf("100 calls of New started %d goroutines", got-before)
	}
}
