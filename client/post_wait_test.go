package client_test

import (
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A POST with an unknown outcome is retried only once. The retry waits at least half
// of the base delay, because the server may still be restarting.
func TestAmbiguousPOSTWaits(t *testing.T) {
	t.Parallel()
	const base = 400 * time.Millisecond
	for name, first := range map[string]roundTripFunc{
		"500":             responds(500, ""),
		"502":             responds(502, ""),
		"504":             responds(504, ""),
		"cut":             fails(io.EOF),
		"truncated":       truncated(200),
		"attempt timeout": hangs,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				shortest, longest := time.Hour, time.Duration(0)
				for range 200 {
					wait := waitAfter(t, base, first)
					shortest, longest = min(shortest, wait), max(longest, wait)
				}
				if shortest < base/2 || longest > base {
					t.Errorf("waits range from %v to %v, want %v to %v", shortest, longest, base/2, base)
				}
				if longest-shortest < base/4 {
					t.Errorf("waits range from %v to %v, want more jitter", shortest, longest)
				}
			})
		})
	}
	t.Run("after a dial failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for range 200 {
				if wait := waitAfter(t, base, fails(dialError(syscall.ECONNREFUSED)), responds(502, "")); wait < base/2 || wait > 2*base {
					t.Fatalf("waited %v, want %v to %v", wait, base/2, 2*base)
				}
			}
		})
	})
}

// waitAfter makes a call that succeeds after steps, and returns the wait before the
// successful attempt.
func waitAfter(t *testing.T, base time.Duration, steps ...roundTripFunc) time.Duration {
	t.Helper()
	var ended, succeeded time.Time
	s := newScript(append(steps, func(*http.Request) (*http.Response, error) {
		succeeded = time.Now()
		return response(200, generated), nil
	})...)
	var attempts []client.Attempt
	c := newClient(t, via(s), record(&attempts), client.WithRetryPolicy(client.RetryPolicy{BaseDelay: base, AttemptTimeout: time.Second}))
	start := time.Now()
	if _, err := generate.call(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	last := attempts[len(steps)-1]
	if len(steps) == 1 {
		ended = start.Add(last.Duration)
	} else {
		ended = s.times[len(steps)-1].Add(last.Duration)
	}
	if wait := succeeded.Sub(ended); wait != last.RetryIn {
		t.Fatalf("waited %v, but RetryIn is %v", wait, last.RetryIn)
	}
	return succeeded.Sub(ended)
}
