package client_test

import (
	"context"
	"io"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// retriesLeft uses up the retry budget of c and returns how many retries were left.
// All calls of c must fail.
func retriesLeft(t *testing.T, c *client.Client, s *script) int {
	t.Helper()
	before := s.attempts()
	const calls = 100
	for range calls {
		_, _ = validate.call(t.Context(), c)
	}
	return s.attempts() - before - calls
}

// If a panic prevents a retry, the budget gets its units back. Servers of net/http
// recover from panics, so otherwise a broken observer would use up the budget.
func TestPanicKeepsRetryBudget(t *testing.T) {
	t.Parallel()
	policy := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1})
	untouched := newScript(fails(io.EOF))
	want := retriesLeft(t, newClient(t, via(untouched), policy), untouched)
	if want == 0 {
		t.Fatal("calls are not retried at all")
	}
	t.Run("observer", func(t *testing.T) {
		armed := true
		s := newScript(fails(io.EOF))
		c := newClient(t, via(s), policy, client.WithObserver(func(context.Context, client.Attempt) {
			if armed {
				panic("observer")
			}
		}))
		for range 50 {
			mustPanic(t, func() { _, _ = validate.call(t.Context(), c) })
		}
		armed = false
		if got := retriesLeft(t, c, s); got != want {
			t.Errorf("%d retries left after 50 panics, want %d", got, want)
		}
	})
	t.Run("key source", func(t *testing.T) {
		armed := true
		s := newScript(fails(io.EOF))
		c, err := client.New("", via(s), policy, client.WithKeySource(func(context.Context) (string, error) {
			if armed {
				panic("key source")
			}
			return testKey, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			mustPanic(t, func() { _, _ = validate.call(t.Context(), c) })
		}
		armed = false
		if got := retriesLeft(t, c, s); got != want {
			t.Errorf("%d retries left after 50 panics, want %d", got, want)
		}
	})
}

// mustPanic calls f and checks that it panics.
func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("the panic did not reach the caller")
		}
	}()
	f()
}
