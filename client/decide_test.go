package client

import (
	"context"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/internal/transport"
)

func TestClassify(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		fate   transport.Fate
		err    error
		want   class
	}{
		"200":                   {status: 200, want: conclusive},
		"200, cut short":        {status: 200, err: io.ErrUnexpectedEOF, want: possiblyProcessed},
		"200, too long":         {status: 200, err: transport.ErrTooLarge, want: conclusive},
		"400":                   {status: 400, want: conclusive},
		"400, cut short":        {status: 400, err: io.ErrUnexpectedEOF, want: conclusive},
		"408":                   {status: 408, want: notProcessed},
		"429":                   {status: 429, want: notProcessed},
		"500":                   {status: 500, want: possiblyProcessed},
		"502":                   {status: 502, want: possiblyProcessed},
		"503":                   {status: 503, want: notProcessed},
		"503, cut short":        {status: 503, err: io.ErrUnexpectedEOF, want: notProcessed},
		"503, fate of its body": {status: 503, fate: transport.Hopeless, err: errors.New("tls: x"), want: notProcessed},
		"503, too long":         {status: 503, err: transport.ErrTooLarge, want: conclusive},
		"504":                   {status: 504, want: possiblyProcessed},
		"505":                   {status: 505, want: conclusive},
		"no response":           {err: io.EOF, want: possiblyProcessed},
		"no response, not sent": {fate: transport.NotSent, err: io.EOF, want: notProcessed},
		"no response, hopeless": {fate: transport.Hopeless, err: io.EOF, want: conclusive},
	} {
		if got := classify(test.status, test.fate, test.err); got != test.want {
			t.Errorf("%s: got class %d, want %d", name, got, test.want)
		}
	}
}

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
