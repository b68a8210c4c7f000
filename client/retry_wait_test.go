package client_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// waits makes n calls that succeed after the attempts in before. It returns the last
// wait of each, sorted.
func waits(t *testing.T, n int, policy client.RetryPolicy, before ...roundTripFunc) []time.Duration {
	t.Helper()
	steps := append(slices.Clone(before), responds(200, validated))
	var all []time.Duration
	for range n {
		s := newScript(steps...)
		if _, err := validate.call(t.Context(), newClient(t, via(s), client.WithRetryPolicy(policy), client.WithTimeout(0))); err != nil {
			t.Fatal(err)
		}
		all = append(all, s.times[len(s.times)-1].Sub(s.times[len(s.times)-2]))
	}
	slices.Sort(all)
	return all
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const none = -1
	for value, test := range map[string]struct {
		want  time.Duration // none if the header is ignored
		waits bool          // whether the call waits and retries
	}{
		"0":                                {0, true},
		"00":                               {0, true},
		"1":                                {time.Second, true},
		"10":                               {10 * time.Second, true},
		"11":                               {11 * time.Second, false},
		"86400":                            {24 * time.Hour, false},
		"9223372036":                       {9223372036 * time.Second, false},
		"9223372037":                       {math.MaxInt64, false},
		"9223372036854775807":              {math.MaxInt64, false},
		"9223372036854775808":              {math.MaxInt64, false},
		strings.Repeat("9", 400):           {math.MaxInt64, false},
		"-1":                               {none, true},
		"+5":                               {none, true},
		"1.5":                              {none, true},
		"1e3":                              {none, true},
		"0x10":                             {none, true},
		"5s":                               {none, true},
		"5, 6":                             {none, true},
		"soon":                             {none, true},
		"":                                 {none, true},
		"５":                                {none, true}, // a digit outside ASCII
		"Sat, 01 Jan 2000 00:00:05 GMT":    {5 * time.Second, true},
		"Sat, 01 Jan 2000 00:00:00 GMT":    {0, true},
		"Fri, 31 Dec 1999 23:59:59 GMT":    {0, true}, // in the past
		"Mon, 01 Jan 0001 00:00:00 GMT":    {0, true},
		"Sun, 02 Jan 2000 00:00:00 GMT":    {24 * time.Hour, false},
		"Fri, 31 Dec 9999 23:59:59 GMT":    {math.MaxInt64, false},
		"Saturday, 01-Jan-00 00:00:05 GMT": {5 * time.Second, true},
		"Sat Jan  1 00:00:05 2000":         {5 * time.Second, true},
		"Sat, 01 Jan 2000 00:00:05 CET":    {none, true}, // not an HTTP date
		"2000-01-01T00:00:05Z":             {none, true},
	} {
		for _, status := range []int{429, 503, 500} {
			t.Run(fmt.Sprintf("%d/%.40s", status, value), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // starts at midnight UTC, 1 January 2000
					start := time.Now()
					var attempts []client.Attempt
					c := newClient(t, record(&attempts), via(newScript(responds(status, "", "Retry-After", value), responds(200, validated))))
					_, err := validate.call(t.Context(), c)
					waited := time.Since(start)
					if !test.waits {
						e := asResponse(t, err)
						if waited != 0 || e.Attempts != 1 || e.RetryAfter != test.want || attempts[0].WillRetry {
							t.Errorf("got RetryAfter %v and %d attempts after %v, want %v and 1 attempt at once", e.RetryAfter, e.Attempts, waited, test.want)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					limit := max(test.want, 250*time.Millisecond)
					if test.want == none && status != 500 {
						limit = time.Second
					}
					if waited < test.want || waited > limit || waited != attempts[0].RetryIn {
						t.Errorf("waited %v with RetryIn %v, want %v to %v", waited, attempts[0].RetryIn, max(0, test.want), limit)
					}
				})
			})
		}
	}
}

func TestMaxRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := newClient(t, client.WithRetryPolicy(client.RetryPolicy{MaxRetryAfter: time.Hour}), client.WithTimeout(0),
			via(newScript(responds(503, "", "Retry-After", "3600"), responds(200, validated))))
		if _, err := validate.call(t.Context(), c); err != nil || time.Since(start) != time.Hour {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestCanceledWhileWaiting(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(time.Second, cancel)
				start := time.Now()
				_, err := op.call(ctx, newClient(t, via(responds(503, `{"error":{"code":7,"message":"down"}}`, "Retry-After", "9"))))
				if got := time.Since(start); got != time.Second {
					t.Errorf("returned after %v, want 1 s", got)
				}
				if !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrServer) {
					t.Errorf("%v does not match both context.Canceled and ErrServer", err)
				}
				if e := asResponse(t, err); e.StatusCode != 503 || e.Message != "down" || e.RetryAfter != 9*time.Second || e.Attempts != 1 {
					t.Errorf("got %+v", e)
				}
				want := "oneloop: " + op.name + ": context canceled (last response: 503 Service Unavailable: down (code 7))"
				if err.Error() != want {
					t.Errorf("got %q, want %q", err, want)
				}
			})
		})
	}
}
