package client

import (
	"context"
	"math"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	policy := RetryPolicy{MaxAttempts: 3, BaseDelay: 400 * time.Millisecond, MaxDelay: time.Minute, MaxRetryAfter: 10 * time.Second}
	after := func(attempts, status int, class class, retryAfter time.Duration) progress {
		return progress{attempts: attempts, last: outcome{status: status, class: class, retryAfter: retryAfter}}
	}
	ambiguous := after(2, 500, possiblyProcessed, -1)
	ambiguous.ambiguous = true
	const post, get, plenty = true, false, time.Hour
	for name, test := range map[string]struct {
		progress progress
		post     bool
		ended    error
		left     time.Duration
		random   float64
		want     decision
	}{
		"conclusive":               {after(1, 400, conclusive, -1), get, nil, plenty, 0, decision{reason: "not retryable"}},
		"conclusive, canceled":     {after(1, 400, conclusive, -1), get, context.Canceled, plenty, 0, decision{reason: "not retryable"}},
		"canceled":                 {after(1, 503, notProcessed, -1), get, context.Canceled, plenty, 0, decision{reason: "context canceled"}},
		"deadline":                 {after(1, 503, notProcessed, -1), get, context.DeadlineExceeded, plenty, 0, decision{reason: "deadline"}},
		"last attempt":             {after(3, 503, notProcessed, -1), get, nil, plenty, 0, decision{reason: "attempts exhausted"}},
		"shortest wait":            {after(1, 500, possiblyProcessed, -1), get, nil, plenty, 0, decision{true, 200 * time.Millisecond, ""}},
		"middle":                   {after(1, 500, possiblyProcessed, -1), get, nil, plenty, 0.5, decision{true, 300 * time.Millisecond, ""}},
		"second wait":              {after(2, 500, possiblyProcessed, -1), get, nil, plenty, 0, decision{true, 400 * time.Millisecond, ""}},
		"no response":              {after(1, 0, notProcessed, -1), get, nil, plenty, 0, decision{true, 200 * time.Millisecond, ""}},
		"busy":                     {after(1, 503, notProcessed, -1), get, nil, plenty, 0, decision{true, 500 * time.Millisecond, ""}},
		"rate limit":               {after(1, 429, notProcessed, -1), get, nil, plenty, 0, decision{true, 500 * time.Millisecond, ""}},
		"busy, Retry-After 0":      {after(1, 503, notProcessed, 0), get, nil, plenty, 0, decision{true, 200 * time.Millisecond, ""}},
		"Retry-After":              {after(1, 503, notProcessed, 10*time.Second), get, nil, plenty, 0, decision{true, 10 * time.Second, ""}},
		"Retry-After too long":     {after(1, 503, notProcessed, 10*time.Second+1), get, nil, plenty, 0, decision{reason: "Retry-After too long"}},
		"just in time":             {after(1, 500, possiblyProcessed, -1), get, nil, 200*time.Millisecond + 1, 0, decision{true, 200 * time.Millisecond, ""}},
		"too late":                 {after(1, 500, possiblyProcessed, -1), get, nil, 200 * time.Millisecond, 0, decision{reason: "deadline"}},
		"POST":                     {after(1, 500, possiblyProcessed, -1), post, nil, plenty, 0, decision{true, 200 * time.Millisecond, ""}},
		"ambiguous POST, again":    {ambiguous, post, nil, plenty, 0, decision{reason: "possibly processed"}},
		"GET, again":               {ambiguous, get, nil, plenty, 0, decision{true, 400 * time.Millisecond, ""}},
		"ambiguous POST, then 503": {progress{attempts: 2, ambiguous: true, last: outcome{status: 503, class: notProcessed, retryAfter: 0}}, post, nil, plenty, 0, decision{true, 400 * time.Millisecond, ""}},
	} {
		if got := policy.decide(test.progress, test.post, test.ended, test.left, test.random); got != test.want {
			t.Errorf("%s: got %+v, want %+v", name, got, test.want)
		}
	}
}

func TestBackoffOverflow(t *testing.T) {
	for _, base := range []time.Duration{1, time.Second, math.MaxInt64 / 2, math.MaxInt64/2 + 1, math.MaxInt64} {
		for _, limit := range []time.Duration{1, time.Second, math.MaxInt64 - 1, math.MaxInt64} {
			for _, n := range []int{0, 1, 2, 62, 63, 64, math.MaxInt32} {
				if got := backoff(base, limit, n); got < min(base, limit) || got > limit {
					t.Errorf("backoff(%d, %d, %d) = %d", base, limit, n, got)
				}
			}
		}
	}
}
