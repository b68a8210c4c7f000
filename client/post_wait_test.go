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

// The only retry of a POST whose outcome is unknown should not be spent while
// the server is still restarting: it waits at least half of its base delay.
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
					t.Errorf("waits from %v to %v, want them from %v to %v", shortest, longest, base/2, base)
				}
				if longest-shortest < base/4 {
					t.Errorf("waits from %v to %v: too little jitter", shortest, longest)
				}
			})
		})
	}
	t.Run("after a dial failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			for range 200 {
				if wait := waitAfter(t, base, fails(dialError(syscall.ECONNREFUSED)), responds(502, "")); wait < base/2 || wait > 2*base {
					t.Fatalf("waited %v, want from %v to %v", wait, base/2, 2*base)
				}
			}
		})
	})
}

// waitAfter returns the wait between the last of steps and the success after it.
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
		t.Fatalf("waited %v, and told the observer %v", wait, last.RetryIn)
	}
	return succeeded.Sub(ended)
}
