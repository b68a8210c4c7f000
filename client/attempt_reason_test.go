package client_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// checkAttempts checks all attempts of a call that returned err, and returns the
// last one.
func checkAttempts(t *testing.T, attempts []client.Attempt, err error) client.Attempt {
	t.Helper()
	if len(attempts) == 0 {
		t.Fatalf("no attempt was observed, and the call returned %v", err)
	}
	for i, a := range attempts {
		last := i == len(attempts)-1
		if (a.Err == nil) != (last && err == nil) {
			t.Errorf("attempt %d of %d has error %v, and the call returned %v", i+1, len(attempts), a.Err, err)
		}
		if a.WillRetry == last {
			t.Errorf("attempt %d of %d: WillRetry is %v", i+1, len(attempts), a.WillRetry)
		}
		if !last && a.Reason != "" {
			t.Errorf("attempt %d of %d is retried but has reason %q", i+1, len(attempts), a.Reason)
		}
		var response *client.ErrorResponse
		if received := a.StatusCode != 0 && a.StatusCode/100 != 2; errors.As(a.Err, &response) != received || received && response.StatusCode != a.StatusCode {
			t.Errorf("attempt %d has status %d and error %v", i+1, a.StatusCode, a.Err)
		}
	}
	return attempts[len(attempts)-1]
}

func TestReasonContextCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		var attempts []client.Attempt
		_, err := validate.call(ctx, newClient(t, via(roundTripFunc(hangs)), record(&attempts)))
		if last := checkAttempts(t, attempts, err); last.Reason != "context canceled" || !errors.Is(err, context.Canceled) {
			t.Errorf(`got %v and reason %q, want "context canceled"`, err, last.Reason)
		}
	})
}

// In an outage, most calls are not retried because the budget is empty. The error
// must say so.
func TestReasonBudgetExhausted(t *testing.T) {
	t.Parallel()
	const want = "retry budget exhausted"
	for name, step := range map[string]roundTripFunc{
		"without a response": fails(io.EOF),
		"with a response":    responds(502, `{"error":{"code":1,"message":"upstream"}}`),
		"dial failure":       fails(dialError(syscall.ECONNREFUSED)),
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				t.Parallel()
				var attempts []client.Attempt
				s := newScript(step)
				c := newClient(t, via(s), record(&attempts), client.WithRetryPolicy(client.RetryPolicy{BaseDelay: 1, MaxDelay: 1}))
				_, err := op.call(t.Context(), c)
				if checkAttempts(t, attempts, err); strings.Contains(err.Error(), want) {
					t.Errorf("the first call failed with %q", err)
				}
				retriesLeft(t, c, s)
				attempts = nil
				_, err = op.call(t.Context(), c)
				if last := checkAttempts(t, attempts, err); last.Reason != want || last.Number != 1 {
					t.Errorf("attempt %d has reason %q, want attempt 1 with %q", last.Number, last.Reason, want)
				}
				if strings.Count(err.Error(), want) != 1 {
					t.Errorf("%q does not contain %q once", err, want)
				}
			})
		}
	}
}
