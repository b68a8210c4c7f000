package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestObserver(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "value")
	var got, also []client.Attempt
	observe := func(ctx context.Context, a client.Attempt) {
		if ctx.Value(key{}) != "value" {
			t.Error("the observer's context is not the call's")
		}
		got = append(got, a)
	}
	c := newClient(t, quick, client.WithObserver(observe), record(&also),
		via(newScript(responds(503, ""), fails(io.EOF), responds(200, validated))))
	if _, err := validate.call(ctx, c); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || len(also) != 3 {
		t.Fatalf("the observers were called %d and %d times, want 3", len(got), len(also))
	}
	for i, want := range []struct {
		status    int
		err       func(error) bool
		willRetry bool
	}{
		{503, isResponse(503), true},
		{0, is(io.EOF), true},
		{200, is(nil), false},
	} {
		a := got[i]
		if a.Operation != "validateLinkToken" || a.Number != i+1 || a.StatusCode != want.status || !want.err(a.Err) || a.Reason != "" ||
			a.WillRetry != want.willRetry || a.RetryIn < 0 || a.RetryIn > time.Millisecond || a.Duration < 0 || !want.willRetry && a.RetryIn != 0 {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
}

// An observer may keep an *ErrorResponse. It always describes the attempt.
func TestObservedErrorResponsesDontChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var kept []*client.ErrorResponse
		var before []string
		describe := func(e *client.ErrorResponse) string {
			return fmt.Sprintf("%v %d %+v %q", e, e.Attempts, e.Header, e.Body)
		}
		c := newClient(t, via(newScript(responds(503, "", "Retry-After", "1"), responds(500, "x"), fails(io.EOF))),
			client.WithObserver(func(_ context.Context, a client.Attempt) {
				if e, ok := a.Err.(*client.ErrorResponse); ok {
					kept, before = append(kept, e), append(before, describe(e))
				}
			}))
		_, err := validate.call(t.Context(), c)
		if asResponse(t, err).Attempts != 3 || len(kept) != 2 {
			t.Fatalf("got %v after %d responses, want 3 attempts and 2 responses", err, len(kept))
		}
		for i, e := range kept {
			if got := describe(e); got != before[i] {
				t.Errorf("attempt %d: changed from %s to %s", i+1, before[i], got)
			}
		}
	})
}

// Reason says why there was no further attempt, and Err is nil only if the attempt
// produced the call's result. The error text does not mention these reasons.
func TestReason(t *testing.T) {
	t.Parallel()
	policy := client.WithRetryPolicy
	ok, busy := responds(200, either), responds(503, "")
	refused := neverConnects(dialError(syscall.ECONNREFUSED))
	for name, test := range map[string]struct {
		steps []roundTripFunc
		opt   client.Option
		get   string // the reason for validateLinkToken
		post  string // the reason for generateLinkToken
	}{
		"success":                   {steps: []roundTripFunc{ok}},
		"success after a retry":     {steps: []roundTripFunc{busy, ok}},
		"400":                       {steps: []roundTripFunc{responds(400, "")}, get: "not retryable", post: "not retryable"},
		"redirect":                  {steps: []roundTripFunc{responds(302, "")}, get: "not retryable", post: "not retryable"},
		"malformed":                 {steps: []roundTripFunc{responds(200, "{}")}, get: "not retryable", post: "not retryable"},
		"unknown host":              {steps: []roundTripFunc{neverConnects(dialError(&net.DNSError{IsNotFound: true}))}, get: "not retryable", post: "not retryable"},
		"400 after a 503":           {steps: []roundTripFunc{busy, responds(400, "")}, get: "not retryable", post: "not retryable"},
		"503 each time":             {steps: []roundTripFunc{busy}, get: "attempts exhausted", post: "attempts exhausted"},
		"dial failure each time":    {steps: []roundTripFunc{refused}, get: "attempts exhausted", post: "attempts exhausted"},
		"cut, one attempt":          {steps: []roundTripFunc{fails(io.EOF)}, opt: policy(client.RetryPolicy{MaxAttempts: 1}), get: "attempts exhausted", post: "attempts exhausted"},
		"cut each time":             {steps: []roundTripFunc{fails(io.EOF)}, get: "attempts exhausted", post: "possibly processed"},
		"502 each time":             {steps: []roundTripFunc{responds(502, "")}, get: "attempts exhausted", post: "possibly processed"},
		"cut, 503, cut of 5":        {steps: []roundTripFunc{fails(io.EOF), busy, fails(io.EOF), responds(400, "")}, opt: policy(client.RetryPolicy{MaxAttempts: 5}), get: "not retryable", post: "possibly processed"},
		"Retry-After too long":      {steps: []roundTripFunc{responds(503, "", "Retry-After", "11")}, get: "Retry-After too long", post: "Retry-After too long"},
		"Retry-After past deadline": {steps: []roundTripFunc{responds(503, "", "Retry-After", "3")}, opt: client.WithTimeout(2 * time.Second), get: "deadline", post: "deadline"},
		"wait past the deadline":    {steps: []roundTripFunc{refused}, opt: policy(client.RetryPolicy{BaseDelay: 1e5 * time.Hour, MaxDelay: 1e5 * time.Hour}), get: "deadline", post: "deadline"},
	} {
		for _, op := range operations {
			inBubble(t, name+"/"+op.name, func(t *testing.T) {
				want := test.get
				if op.post {
					want = test.post
				}
				var attempts []client.Attempt
				opts := []client.Option{via(newScript(test.steps...)), record(&attempts)}
				if test.opt != nil {
					opts = append(opts, test.opt)
				}
				_, err := op.call(t.Context(), newClient(t, opts...))
				if last := checkAttempts(t, attempts, err); last.Reason != want {
					t.Errorf("got reason %q, want %q", last.Reason, want)
				}
				if err != nil && (strings.Contains(err.Error(), "not retried") || want != "" && strings.Contains(err.Error(), want)) {
					t.Errorf("%q says why it was not retried", err)
				}
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
		if a.RetryIn != 0 && !a.WillRetry {
			t.Errorf("attempt %d of %d: RetryIn is %v without a retry", i+1, len(attempts), a.RetryIn)
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

// In an outage, most calls are not retried because the budget is empty. The error
// must say so.
func TestReasonBudgetExhausted(t *testing.T) {
	t.Parallel()
	const want = "retry budget exhausted"
	for name, step := range map[string]roundTripFunc{
		"without a response": fails(io.EOF),
		"with a response":    responds(502, `{"error":{"code":1,"message":"upstream"}}`),
		"dial failure":       neverConnects(dialError(syscall.ECONNREFUSED)),
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

// Visitors can cause a 400 of a validation. In a generation, it is the program's bug.
func TestLogAttemptsOf400(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		want := "level=INFO"
		if op.post {
			want = "level=ERROR"
		}
		var out bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&out, nil))
		c := newClient(t, via(newScript(responds(400, ""))), client.WithObserver(client.LogAttempts(logger)))
		_, _ = op.call(t.Context(), c)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: got %q, want %s", op.name, out.String(), want)
		}
	}
}

func TestLogAttempts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		steps []roundTripFunc
		want  []string // level and attributes of each record
	}{
		"success after a retry": {[]roundTripFunc{responds(503, `{"error":{"code":7,"message":"down"}}`, "Retry-After", "2"), responds(200, validated)}, []string{
			"WARN attempt=1 status=503 duration=0s wait=2s message=down",
			"DEBUG attempt=2 status=200 duration=0s",
		}},
		"no response": {[]roundTripFunc{fails(io.ErrUnexpectedEOF)}, []string{
			"WARN attempt=1 status=0 duration=0s wait=random error=text",
			`ERROR attempt=2 status=0 duration=0s error=text reason="attempts exhausted"`,
		}},
		"400": {[]roundTripFunc{responds(400, `{"error":{"code":1,"message":"bad"}}`)}, []string{
			`INFO attempt=1 status=400 duration=0s message=bad reason="not retryable"`,
		}},
		"401": {[]roundTripFunc{responds(401, `{"error":{"code":401,"message":"no"}}`)}, []string{
			`ERROR attempt=1 status=401 duration=0s message=no reason="not retryable"`,
		}},
		"404 without a message": {[]roundTripFunc{responds(404, "")}, []string{
			`ERROR attempt=1 status=404 duration=0s reason="not retryable"`,
		}},
		"malformed": {[]roundTripFunc{responds(200, "{}")}, []string{
			`ERROR attempt=1 status=200 duration=0s error=text reason="not retryable"`,
		}},
		"canceled": {[]roundTripFunc{responds(503, "", "Retry-After", "2"), hangs}, []string{
			"WARN attempt=1 status=503 duration=0s wait=2s",
			`INFO attempt=2 status=0 duration=1s error=text reason="context canceled"`,
		}},
	} {
		inBubble(t, name, func(t *testing.T) {
			var out bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				switch {
				case a.Key == slog.TimeKey:
					return slog.Attr{}
				case a.Key == "wait" && a.Value.Duration() > 0 && a.Value.Duration() <= 250*time.Millisecond:
					return slog.String("wait", "random")
				case a.Key == "error" && a.Value.String() != "":
					return slog.String("error", "text")
				}
				return a
			}}))
			c := newClient(t, via(newScript(test.steps...)), client.WithObserver(client.LogAttempts(logger)), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2}))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(3*time.Second, cancel)
			_, _ = validate.call(ctx, c)
			for _, want := range test.want {
				level, attrs, _ := strings.Cut(want, " ")
				want = "level=" + level + ` msg="oneloop attempt" operation=validateLinkToken ` + attrs
				if got, _ := out.ReadString('\n'); got != want+"\n" {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			if out.Len() > 0 {
				t.Errorf("there are more records than attempts: %s", out.String())
			}
		})
	}
}
