package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestRetriesToADeadServerAreFew(t *testing.T) {
	t.Parallel()
	for name, dead := range map[string]roundTripFunc{"503": responds(503, ""), "500": responds(500, ""), "refused": neverConnects(dialError(syscall.ECONNREFUSED)), "silence": hangs} {
		for _, op := range operations {
			inBubble(t, op.name+"/"+name, func(t *testing.T) {
				s := newScript(dead)
				c := newClient(t, via(s))
				for range 200 {
					if _, err := op.call(t.Context(), c); err == nil {
						t.Fatal("a call to a dead server succeeded")
					}
				}
				if s.attempts() != 235 {
					t.Errorf("%d attempts for 200 calls, want 235", s.attempts())
				}
			})
		}
	}
}

// Concurrent calls together get exactly the retries that the budget allows.
func TestRetryBudgetConcurrentCalls(t *testing.T) {
	t.Parallel()
	const calls = 64
	policy := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1})
	for range 20 {
		var requests atomic.Int64
		var first sync.WaitGroup
		first.Add(calls)
		c := newClient(t, policy, via(roundTripFunc(func(*http.Request) (*http.Response, error) {
			if requests.Add(1) <= calls {
				first.Done()
				first.Wait() // so that all calls draw on the budget at once
			}
			return response(503, ""), nil
		})))
		var wg sync.WaitGroup
		for range calls {
			wg.Go(func() { _, _ = validate.call(t.Context(), c) })
		}
		wg.Wait()
		if got := requests.Load(); got != calls+35 {
			t.Fatalf("%d attempts for %d calls, want %d", got, calls, calls+35)
		}
	}
}

// definitive are responses that show that the server lives: a 400 as much as a 200.
// Otherwise, link tokens that strangers make up would use up the retries of others.
var definitive = map[string]roundTripFunc{
	"200": responds(200, validated),
	"400": responds(400, ""),
	"401": responds(401, ""),
	"403": responds(403, ""),
	"404": responds(404, ""),
}

// A new Client has a budget of 500. A definitive response to a first attempt adds 1,
// and a retry without one costs 14.
func TestRetryBudgetRefill(t *testing.T) {
	t.Parallel()
	for name, lives := range definitive {
		inBubble(t, name, func(t *testing.T) {
			var step roundTripFunc
			requests := 0
			c := newClient(t, via(roundTripFunc(func(req *http.Request) (*http.Response, error) {
				requests++
				return step(req)
			})))
			for i, row := range []struct{ responses, retries int }{
				{0, 35},    // 10 left
				{4, 1},     // 0 left
				{13, 0},    // 13 left
				{1, 1},     // 0 left
				{28, 2},    // 0 left
				{1000, 35}, // refilled to 500, not more
			} {
				step = lives
				for range row.responses {
					_, _ = validate.call(t.Context(), c)
				}
				step = responds(503, "")
				retries := 0
				for requests = 2; requests > 1; retries += requests - 1 {
					requests = 0
					if _, err := validate.call(t.Context(), c); err == nil {
						t.Fatal("a call to a dead server succeeded")
					}
				}
				if retries != row.retries {
					t.Errorf("row %d: %d retries after %d responses, want %d", i+1, retries, row.responses, row.retries)
				}
			}
		})
	}
}

// A retry that gets a definitive response costs nothing.
func TestSuccessfulRetriesAreFree(t *testing.T) {
	t.Parallel()
	for name, lives := range definitive {
		inBubble(t, name, func(t *testing.T) {
			requests := 0
			c := newClient(t, via(roundTripFunc(func(req *http.Request) (*http.Response, error) {
				if requests++; requests%2 == 1 {
					return response(503, ""), nil
				}
				return lives(req)
			})))
			for i := range 100 {
				if _, _ = validate.call(t.Context(), c); requests != 2*(i+1) {
					t.Fatalf("call %d was not retried", i+1)
				}
			}
		})
	}
}

func TestRetryBudgetPerClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for range 40 {
			_, err := validate.call(t.Context(), newClient(t, via(responds(503, ""))))
			if e := asResponse(t, err); e.Attempts != 3 {
				t.Fatalf("%d attempts, want 3", e.Attempts)
			}
		}
	})
}

// A retry that is canceled while waiting costs nothing.
func TestCanceledWaitsAreFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, via(responds(503, "", "Retry-After", "9")))
		for i := range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := validate.call(ctx, c); !errors.Is(err, context.Canceled) {
				t.Fatalf("call %d returned %v, want context.Canceled", i, err)
			}
		}
	})
}

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
	armed := true
	panics := func() {
		if armed {
			panic("armed")
		}
	}
	for name, test := range map[string]struct {
		key string
		opt client.Option
	}{
		"observer": {testKey, client.WithObserver(func(context.Context, client.Attempt) { panics() })},
		"key source": {"", client.WithKeySource(func(context.Context) (string, error) {
			panics()
			return testKey, nil
		})},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(fails(io.EOF))
			c := newClientWithKey(t, test.key, test.opt, via(s), policy)
			armed = true
			for range 50 {
				mustPanic(t, func() { _, _ = validate.call(t.Context(), c) })
			}
			armed = false
			if got := retriesLeft(t, c, s); got != 35 {
				t.Errorf("%d retries left after 50 panics, want 35", got)
			}
		})
	}
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
