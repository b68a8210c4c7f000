package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
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

// Reason says why a failed attempt is not retried.
func TestAttemptReason(t *testing.T) {
	t.Parallel()
	busy := func(retryAfter string) roundTripFunc { return responds(503, "", "Retry-After", retryAfter) }
	for name, test := range map[string]struct {
		op    operation
		steps []roundTripFunc
		opt   client.Option
		want  string
	}{
		"400":                {validate, []roundTripFunc{responds(400, "")}, nil, "not retryable"},
		"malformed":          {validate, []roundTripFunc{responds(200, "{}")}, nil, "not retryable"},
		"unknown host":       {validate, []roundTripFunc{fails(dialError(&net.DNSError{IsNotFound: true}))}, nil, "not retryable"},
		"503":                {validate, []roundTripFunc{responds(503, "")}, nil, "attempts exhausted"},
		"one attempt":        {generate, []roundTripFunc{fails(io.EOF)}, client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}), "attempts exhausted"},
		"deadline":           {validate, []roundTripFunc{busy("5")}, client.WithTimeout(5 * time.Second), "deadline"},
		"long Retry-After":   {validate, []roundTripFunc{busy("60")}, nil, "Retry-After too long"},
		"second 500 to POST": {generate, []roundTripFunc{responds(500, ""), responds(500, "")}, nil, "possibly processed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var attempts []client.Attempt
				opts := []client.Option{via(newScript(test.steps...)), record(&attempts)}
				if test.opt != nil {
					opts = append(opts, test.opt)
				}
				if _, err := test.op.call(t.Context(), newClient(t, opts...)); err == nil {
					t.Fatal("the call succeeded")
				}
				for i, a := range attempts {
					want := ""
					if i == len(attempts)-1 {
						want = test.want
					}
					if a.Reason != want || a.WillRetry != (want == "") || a.Err == nil {
						t.Errorf("attempt %d: got reason %q, WillRetry %t, error %v, want reason %q", i+1, a.Reason, a.WillRetry, a.Err, want)
					}
				}
			})
		})
	}
	t.Run("retry budget exhausted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var attempts []client.Attempt
			c := newClient(t, via(responds(503, "")), record(&attempts))
			for range 20 {
				_, _ = validate.call(t.Context(), c)
			}
			if last := attempts[len(attempts)-1]; last.Number != 1 || last.Reason != "retry budget exhausted" {
				t.Errorf("got %+v, want a first attempt that is not retried because of the budget", last)
			}
		})
	})
	t.Run("context canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var attempts []client.Attempt
		c := newClient(t, record(&attempts), via(roundTripFunc(func(*http.Request) (*http.Response, error) {
			cancel()
			return response(503, ""), nil
		})))
		_, _ = validate.call(ctx, c)
		if len(attempts) != 1 || attempts[0].Reason != "context canceled" {
			t.Errorf("got %+v", attempts)
		}
	})
}

func TestAttemptDuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var attempts []client.Attempt
		c := newClient(t, via(roundTripFunc(hangs)), record(&attempts),
			client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1, AttemptTimeout: 3 * time.Second}))
		_, _ = validate.call(t.Context(), c)
		if len(attempts) != 1 || attempts[0].Duration != 3*time.Second {
			t.Errorf("got %+v, want one attempt of 3 s", attempts)
		}
	})
}

func TestLogAttempts(t *testing.T) {
	t.Parallel()
	down := responds(503, `{"error":{"code":7,"message":"down"}}`)
	for name, test := range map[string]struct {
		steps []roundTripFunc
		ctx   func(context.Context) (context.Context, context.CancelFunc)
		want  []map[string]any
	}{
		"success after a retry": {steps: []roundTripFunc{down, responds(200, validated)}, want: []map[string]any{
			{"level": "WARN", "status": 503., "message": "down", "waits": true},
			{"level": "DEBUG", "status": 200.},
		}},
		"no response": {steps: []roundTripFunc{fails(io.ErrUnexpectedEOF)}, want: []map[string]any{
			{"level": "WARN", "status": 0., "waits": true},
			{"level": "ERROR", "status": 0., "reason": "attempts exhausted"},
		}},
		"400": {steps: []roundTripFunc{responds(400, `{"error":{"code":1,"message":"bad"}}`)}, want: []map[string]any{
			{"level": "INFO", "status": 400., "message": "bad", "reason": "not retryable"},
		}},
		"401": {steps: []roundTripFunc{responds(401, `{"error":{"code":401,"message":"no"}}`)}, want: []map[string]any{
			{"level": "ERROR", "status": 401., "message": "no", "reason": "not retryable"},
		}},
		"malformed": {steps: []roundTripFunc{responds(200, "{}")}, want: []map[string]any{
			{"level": "ERROR", "status": 200., "reason": "not retryable"},
		}},
		"canceled": {steps: []roundTripFunc{hangs}, ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, want: []map[string]any{
			{"level": "INFO", "status": 0., "reason": "context canceled"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
				c := newClient(t, via(newScript(test.steps...)), client.WithObserver(client.LogAttempts(logger)),
					client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2}))
				ctx := t.Context()
				if test.ctx != nil {
					var cancel context.CancelFunc
					ctx, cancel = test.ctx(ctx)
					defer cancel()
				}
				_, _ = validate.call(ctx, c)
				checkLog(t, &out, test.want)
			})
		})
	}
}

// checkLog compares records, ignoring the attributes that differ in every run.
func checkLog(t *testing.T, records io.Reader, want []map[string]any) {
	t.Helper()
	dec := json.NewDecoder(records)
	for i, want := range want {
		var got map[string]any
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if d, ok := got["duration"].(float64); !ok || d < 0 {
			t.Errorf("record %d: the duration is %v", i+1, got["duration"])
		}
		if _, ok := got["error"]; !ok && want["message"] == nil && want["level"] != "DEBUG" {
			t.Errorf("record %d has no error attribute: %v", i+1, got)
		}
		if wait, ok := got["wait"]; ok {
			got["waits"] = wait.(float64) > 0
		}
		for _, name := range []string{"time", "duration", "wait", "error"} {
			delete(got, name)
		}
		want["msg"], want["operation"], want["attempt"] = "oneloop attempt", "validateLinkToken", float64(i+1)
		if !maps.Equal(got, want) {
			t.Errorf("record %d: got %v, want %v", i+1, got, want)
		}
	}
	if dec.More() {
		t.Error("there are more records than attempts")
	}
}
