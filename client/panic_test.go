package client_test

import (
	"context"
	"io"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// retriesLeft spends what is left of c's retry budget and returns how many
// retries that were. Its server must be dead.
func retriesLeft(t *testing.T, c *client.Client, s *script) int {
	t.Helper()
	before := s.attempts()
	const calls = 100
	for range calls {
		_, _ = validate.call(t.Context(), c)
	}
	return s.attempts() - before - calls
}

// A retry that a panic prevents is not paid for: net/http's server recovers
// panics, and so a broken observer would end all retries for good.
func TestPanicLeavesTheRetryBudgetAlone(t *testing.T) {
	t.Parallel()
	policy := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1})
	untouched := newScript(fails(io.EOF))
	want := retriesLeft(t, newClient(t, via(untouched), policy), untouched)
	if want == 0 {
		t.Fatal("nothing is retried at all")
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
			recovered(t, func() { _, _ = validate.call(t.Context(), c) })
		}
		armed = false
		if got := retriesLeft(t, c, s); got != want {
			t.Errorf("%d retries after 50 panics, want %d", got, want)
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
			recovered(t, func() { _, _ = validate.call(t.Context(), c) })
		}
		armed = false
		if got := retriesLeft(t, c, s); got != want {
			t.Errorf("%d retries after 50 panics, want %d", got, want)
		}
	})
}

// recovered calls f, which must panic.
func recovered(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("the panic was swallowed")
		}
	}()
	f()
}
