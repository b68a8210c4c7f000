package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	for name, dead := range map[string]roundTripFunc{"503": responds(503, ""), "500": responds(500, ""), "refused": fails(dialError(syscall.ECONNREFUSED)), "silence": hangs} {
		for _, op := range operations {
			t.Run(op.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScript(dead)
					c := newClient(t, via(s))
					for range 1000 {
						if _, err := op.call(t.Context(), c); err == nil {
							t.Fatal("a call to a dead server succeeded")
						}
					}
					if s.attempts() != 1035 {
						t.Errorf("%d attempts for 1,000 calls, want 35 more than calls", s.attempts())
					}
				})
			})
		}
	}
}

// The budget limits the retries of concurrent calls as well, to the last one.
func TestRetryBudgetIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	const calls = 64
	policy := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1})
	for range 200 {
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
			t.Fatalf("%d attempts for %d calls, want 35 more than calls", got, calls)
		}
	}
}

// A first attempt that succeeds adds 1 to the budget, and a failed retry costs
// 14. A new Client has 500.
func TestSuccessesRefillTheRetryBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down, requests := true, 0
		c := newClient(t, via(roundTripFunc(func(*http.Request) (*http.Response, error) {
			requests++
			if down {
				return response(503, ""), nil
			}
			return response(200, validated), nil
		})))
		for i, step := range []struct{ successes, retries int }{
			{0, 35},    // 10 are left
			{4, 1},     // 0 are left
			{13, 0},    // 13 are left
			{1, 1},     // 0 are left
			{28, 2},    // 0 are left
			{1000, 35}, // never more than 500
		} {
			down = false
			for range step.successes {
				if _, err := validate.call(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			down = true
			retries := 0
			for {
				requests = 0
				if _, err := validate.call(t.Context(), c); err == nil {
					t.Fatal("a call to a dead server succeeded")
				}
				if requests == 1 {
					break
				}
				retries += requests - 1
			}
			if retries != step.retries {
				t.Errorf("step %d: %d retries after %d successes, want %d", i+1, retries, step.successes, step.retries)
			}
		}
	})
}

// A retry that succeeds costs nothing.
func TestSuccessfulRetriesCostNoBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		requests := 0
		c := newClient(t, via(roundTripFunc(func(*http.Request) (*http.Response, error) {
			if requests++; requests%2 == 1 {
				return response(503, ""), nil
			}
			return response(200, validated), nil
		})))
		for i := range 100 {
			if _, err := validate.call(t.Context(), c); err != nil {
				t.Fatalf("call %d was not retried: %v", i, err)
			}
		}
	})
}

func TestRetryBudgetIsPerClient(t *testing.T) {
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

// A wait that is canceled sends nothing and costs nothing.
func TestCanceledWaitsCostNoBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, via(responds(503, "", "Retry-After", "9")))
		for i := range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := validate.call(ctx, c); !errors.Is(err, context.Canceled) {
				t.Fatalf("call %d did not wait: %v", i, err)
			}
		}
	})
}

func TestPartialOutage(t *testing.T) {
	t.Parallel()
	const calls = 20_000
	for _, test := range []struct{ failing, success, load float64 }{
		{0.10, 0.997, 1.13},
		{0.20, 0.98, 1.27},
	} {
		t.Run(fmt.Sprint(test.failing), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 2))
				requests, ok := 0, 0
				c := newClient(t, via(roundTripFunc(func(*http.Request) (*http.Response, error) {
					requests++
					if random.Float64() < test.failing {
						return response(503, ""), nil
					}
					return response(200, validated), nil
				})))
				for range calls {
					if _, err := validate.call(t.Context(), c); err == nil {
						ok++
					}
				}
				success, load := float64(ok)/calls, float64(requests)/calls
				t.Logf("with %.0f%% random 503: %.2f%% of the calls succeed, with %.3f requests per call", test.failing*100, success*100, load)
				if success < test.success || load > test.load {
					t.Errorf("want at least %.2f%% with at most %.2f", test.success*100, test.load)
				}
			})
		})
	}
}
