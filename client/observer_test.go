package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
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
			t.Error("the observer got another context than the call's")
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
		err       error
		willRetry bool
	}{{503, nil, true}, {0, io.EOF, true}, {200, nil, false}} {
		a := got[i]
		if a.Operation != "validateLinkToken" || a.Number != i+1 || a.StatusCode != want.status || !errors.Is(a.Err, want.err) ||
			a.WillRetry != want.willRetry || a.RetryIn < 0 || a.RetryIn > time.Millisecond || a.Duration < 0 || !want.willRetry && a.RetryIn != 0 {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
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
	var out bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := newClient(t, client.WithObserver(client.LogAttempts(logger)),
		client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}),
		via(newScript(responds(503, ""), responds(200, validated), fails(io.ErrUnexpectedEOF), responds(400, ""))))
	for range 2 {
		_, _ = validate.call(t.Context(), c)
	}
	records := json.NewDecoder(&out)
	for i, want := range []map[string]any{
		{"level": "WARN", "attempt": 1., "status": 503., "waits": true},
		{"level": "DEBUG", "attempt": 2., "status": 200.},
		{"level": "WARN", "attempt": 1., "status": 0., "waits": true, "error": "unexpected EOF"},
		{"level": "ERROR", "attempt": 2., "status": 400.},
	} {
		var got map[string]any
		if err := records.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if d, ok := got["duration"].(float64); !ok || d < 0 {
			t.Errorf("record %d: the duration is %v", i+1, got["duration"])
		}
		if wait, _ := got["wait"].(float64); wait > 0 {
			got["waits"] = true
		}
		for _, name := range []string{"time", "duration", "wait"} {
			delete(got, name)
		}
		want["msg"], want["operation"] = "oneloop attempt", "validateLinkToken"
		if !maps.Equal(got, want) {
			t.Errorf("record %d: got %v, want %v", i+1, got, want)
		}
	}
	if records.More() {
		t.Error("there are more records than attempts")
	}
}
