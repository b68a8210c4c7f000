package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// within returns a context with the timeout d, or without one if d is 0.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// hangsSilently is like hangs, but returns an error of its own instead of the
// context's.
func hangsSilently(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, errors.New("stopped")
}

// The Timeout of an http.Client limits each attempt.
func TestHTTPClientTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(hangs)
		start := time.Now()
		_, err := validate.call(t.Context(), newClient(t, client.WithHTTPClient(&http.Client{Timeout: time.Second, Transport: s})))
		if elapsed := time.Since(start); s.attempts() != 3 || elapsed < 3*time.Second || elapsed > 3750*time.Millisecond {
			t.Errorf("%d attempts in %v, want 3 of 1 s each", s.attempts(), elapsed)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v does not match context.DeadlineExceeded", err)
		}
	})
}

// The error text names the timeout that ended the call, and names it once.
func TestTimeoutErrorText(t *testing.T) {
	t.Parallel()
	for want, opts := range map[string][]client.Option{
		"attempt timed out": {client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2, BaseDelay: 1, MaxDelay: 1, AttemptTimeout: 20 * time.Millisecond})},
		"call timed out":    {client.WithTimeout(20 * time.Millisecond)},
	} {
		t.Run(want, func(t *testing.T) {
			server := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			_, err := validate.call(t.Context(), newClient(t, append(opts, client.WithBaseURL(server.URL))...))
			if err == nil {
				t.Fatal("the call succeeded")
			}
			if strings.Count(err.Error(), "timed out") != 1 || !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not contain %q once", err, want)
			}
			if several := want == "attempt timed out"; strings.Contains(err.Error(), "after 2 attempts") != several {
				t.Errorf("got %q, want the number of attempts in it: %t", err, several)
			}
		})
	}
}

func TestContextDone(t *testing.T) {
	t.Parallel()
	busy := responds(503, "", "Retry-After", "1")
	for name, test := range map[string]struct {
		steps  []roundTripFunc
		status int // of the last response
	}{
		"in the first attempt":             {[]roundTripFunc{hangs}, 0},
		"in the second attempt":            {[]roundTripFunc{busy, hangs}, 503},
		"in the body of an error":          {[]roundTripFunc{hangsInBody(400)}, 400},
		"in the body of a 200 after a 503": {[]roundTripFunc{busy, hangsInBody(200)}, 503},
		"silently":                         {[]roundTripFunc{hangsSilently}, 0},
	} {
		for _, how := range []string{"deadline", "WithTimeout"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const timeout = 2 * time.Second
					ctx, opts := t.Context(), []client.Option{via(newScript(test.steps...))}
					if how == "deadline" {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, timeout)
						defer cancel()
					} else {
						opts = append(opts, client.WithTimeout(timeout))
					}
					start := time.Now()
					_, err := validate.call(ctx, newClient(t, opts...))
					if got := time.Since(start); got != timeout {
						t.Errorf("returned after %v, want %v", got, timeout)
					}
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%v does not match context.DeadlineExceeded", err)
					}
					if test.status != 0 && !isResponse(test.status)(err) {
						t.Errorf("%v does not match the response with status %d", err, test.status)
					}
				})
			})
		}
	}
}

func TestContextDoneBeforeCall(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := newScript(responds(200, op.ok))
		if _, err := op.call(ctx, newClient(t, via(s))); !errors.Is(err, context.Canceled) || s.attempts() != 0 {
			t.Errorf("got %v after %d attempts", err, s.attempts())
		}
	}
}

// After the context was canceled, WillRetry must be false.
func TestNoRetryAfterCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var attempts []client.Attempt
	c := newClient(t, record(&attempts), via(roundTripFunc(func(*http.Request) (*http.Response, error) {
		cancel()
		return response(503, ""), nil
	})))
	_, err := validate.call(ctx, c)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrServer) || len(attempts) != 1 || attempts[0].WillRetry {
		t.Errorf("got %v and %+v", err, attempts)
	}
}

// If a wait would pass the deadline, the call ends at once.
func TestNoWaitPastDeadline(t *testing.T) {
	t.Parallel()
	busy := responds(503, "", "Retry-After", "5")
	for name, test := range map[string]struct {
		step     roundTripFunc
		deadline time.Duration
		opt      client.Option
	}{
		"Retry-After, deadline":    {busy, 5 * time.Second, client.WithTimeout(time.Hour)},
		"Retry-After, WithTimeout": {busy, 0, client.WithTimeout(5 * time.Second)},
		"jitter, deadline":         {responds(500, ""), time.Nanosecond, client.WithRetryPolicy(client.RetryPolicy{BaseDelay: time.Hour, MaxDelay: time.Hour})},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := within(t.Context(), test.deadline)
				defer cancel()
				start := time.Now()
				_, err := validate.call(ctx, newClient(t, via(test.step), test.opt))
				e := asResponse(t, err)
				if time.Since(start) != 0 || e.Attempts != 1 {
					t.Errorf("got %v after %d attempts and %v", err, e.Attempts, time.Since(start))
				}
			})
		})
	}
}

// No attempt is sent after the deadline, even if it was an observer that used up
// the time.
func TestNoAttemptAfterDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(503, "", "Retry-After", "0"), responds(200, validated))
		c := newClient(t, via(s), client.WithTimeout(time.Second), quick,
			client.WithObserver(func(context.Context, client.Attempt) { time.Sleep(time.Minute) }))
		_, err := validate.call(t.Context(), c)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, client.ErrServer) || s.attempts() != 1 {
			t.Errorf("got %v after %d requests", err, s.attempts())
		}
	})
}
