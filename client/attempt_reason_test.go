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

// Reason says why there was no further attempt, and Err is nil only if the attempt
// produced the call's result.
func TestReason(t *testing.T) {
	t.Parallel()
	soon := client.WithTimeout(2 * time.Second)
	for name, test := range map[string]struct {
		steps  []roundTripFunc
		opts   []client.Option
		get    string // the reason for validateLinkToken
		post   string // the reason for generateLinkToken
		inText bool   // the error text contains the reason
	}{
		"success":                   {steps: []roundTripFunc{responds(200, validated[:len(validated)-1]+`,"token":"t"}`)}},
		"success after a retry":     {steps: []roundTripFunc{responds(503, ""), responds(200, validated[:len(validated)-1]+`,"token":"t"}`)}},
		"400":                       {steps: []roundTripFunc{responds(400, "")}, get: "not retryable", post: "not retryable"},
		"redirect":                  {steps: []roundTripFunc{responds(302, "")}, get: "not retryable", post: "not retryable"},
		"malformed":                 {steps: []roundTripFunc{responds(200, "{}")}, get: "not retryable", post: "not retryable"},
		"400 after a 503":           {steps: []roundTripFunc{responds(503, ""), responds(400, "")}, get: "not retryable", post: "not retryable"},
		"503 each time":             {steps: []roundTripFunc{responds(503, "")}, get: "attempts exhausted", post: "attempts exhausted"},
		"dial failure each time":    {steps: []roundTripFunc{fails(dialError(syscall.ECONNREFUSED))}, get: "attempts exhausted", post: "attempts exhausted"},
		"cut each time":             {steps: []roundTripFunc{fails(io.EOF)}, get: "attempts exhausted", post: "possibly processed"},
		"502 each time":             {steps: []roundTripFunc{responds(502, "")}, get: "attempts exhausted", post: "possibly processed"},
		"cut, 503, cut of 5":        {steps: []roundTripFunc{fails(io.EOF), responds(503, ""), fails(io.EOF), responds(400, "")}, opts: []client.Option{client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 5})}, get: "not retryable", post: "possibly processed"},
		"Retry-After too long":      {steps: []roundTripFunc{responds(503, "", "Retry-After", "11")}, get: "Retry-After too long", post: "Retry-After too long"},
		"Retry-After past deadline": {steps: []roundTripFunc{responds(503, "", "Retry-After", "3")}, opts: []client.Option{soon}, get: "deadline", post: "deadline", inText: true},
		"wait past the deadline":    {steps: []roundTripFunc{fails(dialError(syscall.ECONNREFUSED))}, opts: []client.Option{soon, client.WithRetryPolicy(client.RetryPolicy{BaseDelay: 1e5 * time.Hour, MaxDelay: 1e5 * time.Hour})}, get: "deadline", post: "deadline", inText: true},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					want := test.get
					if op.post {
						want = test.post
					}
					var attempts []client.Attempt
					_, err := op.call(t.Context(), newClient(t, append(test.opts, via(newScript(test.steps...)), record(&attempts))...))
					last := checkAttempts(t, attempts, err)
					if last.Reason != want {
						t.Errorf("got reason %q, want %q", last.Reason, want)
					}
					if test.inText && !strings.Contains(err.Error(), want) {
						t.Errorf("%q does not contain %q", err, want)
					}
				})
			})
		}
	}
}

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
