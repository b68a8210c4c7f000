package client_test

import (
	"context"
	"errors"
	"net/http"
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

func TestTimeouts(t *testing.T) {
	t.Parallel()
	slow := func(d time.Duration) roundTripFunc {
		return func(req *http.Request) (*http.Response, error) {
			select {
			case <-time.After(d):
				return response(200, validated), nil
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		}
	}
	const jitter = 750 * time.Millisecond // the most that both waits can add
	unlimited := client.WithTimeout(0)
	oneSecond := client.WithRetryPolicy(client.RetryPolicy{AttemptTimeout: time.Second})
	for name, test := range map[string]struct {
		step     roundTripFunc
		deadline time.Duration // of the context
		opt      client.Option
		ok       bool
		elapsed  time.Duration // the longest; the shortest is less by jitter
		attempts int
	}{
		"default attempt timeout":         {hangs, 0, unlimited, false, 24*time.Second + jitter, 3},
		"attempt timeout":                 {hangs, 0, oneSecond, false, 3*time.Second + jitter, 3},
		"attempt timeout, silently":       {hangsSilently, 0, oneSecond, false, 3*time.Second + jitter, 3},
		"attempt timeout in the body":     {hangsInBody(200), 0, oneSecond, false, 3*time.Second + jitter, 3},
		"slower than the attempt timeout": {slow(9 * time.Second), 0, unlimited, false, 24*time.Second + jitter, 3},
		"WithTimeout below the attempt's": {hangs, 0, client.WithTimeout(time.Second), false, time.Second, 1},
		"deadline beyond WithTimeout":     {slow(5 * time.Second), time.Minute, client.WithTimeout(time.Second), false, time.Second, 1},
		"deadline below WithTimeout":      {hangs, time.Second, client.WithTimeout(time.Minute), false, time.Second, 1},
		"deadline without WithTimeout":    {hangs, time.Second, unlimited, false, time.Second, 1},
		"only the attempt timeout":        {slow(7 * time.Second), 0, unlimited, true, 7 * time.Second, 1},
		"default timeout":                 {hangs, 0, client.WithRetryPolicy(client.RetryPolicy{AttemptTimeout: 10 * time.Second}), false, 15 * time.Second, 2},
		"deadline beyond the default":     {hangs, time.Minute, client.WithRetryPolicy(client.RetryPolicy{AttemptTimeout: 10 * time.Second}), false, 15 * time.Second, 2},
	} {
		inBubble(t, name, func(t *testing.T) {
			ctx, cancel := within(t.Context(), test.deadline)
			defer cancel()
			s := newScript(test.step)
			start := time.Now()
			_, err := validate.call(ctx, newClient(t, via(s), test.opt))
			elapsed := time.Since(start)
			if (err == nil) != test.ok || elapsed > test.elapsed || elapsed < test.elapsed-jitter {
				t.Errorf("got %v after %v, want about %v", err, elapsed, test.elapsed)
			}
			if !test.ok && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v does not match context.DeadlineExceeded", err)
			}
			if s.attempts() != test.attempts {
				t.Errorf("%d attempts, want %d", s.attempts(), test.attempts)
			}
		})
	}
}

// The Timeout of an http.Client limits each attempt if it is less than
// AttemptTimeout.
func TestHTTPClientTimeout(t *testing.T) {
	t.Parallel()
	for timeout, want := range map[time.Duration]time.Duration{time.Second: time.Second, time.Minute: 8 * time.Second} {
		inBubble(t, timeout.String(), func(t *testing.T) {
			var attempts []client.Attempt
			c := newClient(t, client.WithHTTPClient(&http.Client{Timeout: timeout, Transport: roundTripFunc(hangs)}), client.WithTimeout(0), record(&attempts))
			_, err := validate.call(t.Context(), c)
			if !errors.Is(err, context.DeadlineExceeded) || len(attempts) != 3 {
				t.Errorf("got %v after %d attempts, want context.DeadlineExceeded after 3", err, len(attempts))
			}
			for _, a := range attempts {
				if a.Duration != want {
					t.Errorf("attempt %d took %v, want %v", a.Number, a.Duration, want)
				}
			}
		})
	}
}

func TestContextDone(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
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
		for how, limits := range map[string]struct{ deadline, timeout time.Duration }{"deadline": {timeout, time.Hour}, "WithTimeout": {0, timeout}} {
			inBubble(t, name+"/"+how, func(t *testing.T) {
				ctx, cancel := within(t.Context(), limits.deadline)
				defer cancel()
				start := time.Now()
				_, err := validate.call(ctx, newClient(t, via(newScript(test.steps...)), client.WithTimeout(limits.timeout)))
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

// After the context was canceled, there is no retry, and the Attempt says so.
func TestNoRetryAfterCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var attempts []client.Attempt
	c := newClient(t, record(&attempts), via(roundTripFunc(func(*http.Request) (*http.Response, error) {
		cancel()
		return response(503, ""), nil
	})))
	_, err := validate.call(ctx, c)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrServer) {
		t.Errorf("%v does not match both context.Canceled and ErrServer", err)
	}
	if len(attempts) != 1 || attempts[0].WillRetry || attempts[0].Reason != "context canceled" {
		t.Errorf("got %+v", attempts)
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
		inBubble(t, name, func(t *testing.T) {
			ctx, cancel := within(t.Context(), test.deadline)
			defer cancel()
			start := time.Now()
			_, err := validate.call(ctx, newClient(t, via(test.step), test.opt))
			e := asResponse(t, err)
			if time.Since(start) != 0 || e.Attempts != 1 {
				t.Errorf("got %v after %d attempts and %v", err, e.Attempts, time.Since(start))
			}
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
