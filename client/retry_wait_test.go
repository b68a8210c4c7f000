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

func TestFullJitter(t *testing.T) {
	t.Parallel()
	failed, busy := responds(500, ""), responds(503, "")
	for name, test := range map[string]struct {
		policy client.RetryPolicy
		before []roundTripFunc
		upTo   time.Duration
	}{
		"first":                 {client.RetryPolicy{}, []roundTripFunc{failed}, 250 * time.Millisecond},
		"second":                {client.RetryPolicy{}, []roundTripFunc{failed, failed}, 500 * time.Millisecond},
		"third":                 {client.RetryPolicy{MaxAttempts: 9}, []roundTripFunc{failed, failed, failed}, time.Second},
		"capped":                {client.RetryPolicy{MaxAttempts: 9}, []roundTripFunc{failed, failed, failed, failed, failed, failed, failed}, 5 * time.Second},
		"base of 1 s":           {client.RetryPolicy{BaseDelay: time.Second}, []roundTripFunc{failed, failed}, 2 * time.Second},
		"cap of 300 ms":         {client.RetryPolicy{MaxDelay: 300 * time.Millisecond}, []roundTripFunc{failed, failed}, 300 * time.Millisecond},
		"cap below base":        {client.RetryPolicy{MaxDelay: 100 * time.Millisecond}, []roundTripFunc{failed}, 100 * time.Millisecond},
		"503":                   {client.RetryPolicy{}, []roundTripFunc{busy}, time.Second},
		"429, then 503":         {client.RetryPolicy{}, []roundTripFunc{responds(429, ""), busy}, 2 * time.Second},
		"408":                   {client.RetryPolicy{}, []roundTripFunc{responds(408, "")}, 250 * time.Millisecond},
		"503, longer base":      {client.RetryPolicy{BaseDelay: 2 * time.Second}, []roundTripFunc{busy}, 2 * time.Second},
		"503 with Retry-After":  {client.RetryPolicy{}, []roundTripFunc{responds(503, "", "Retry-After", "0")}, 250 * time.Millisecond},
		"smallest base and cap": {client.RetryPolicy{BaseDelay: 1, MaxDelay: 1}, []roundTripFunc{failed}, 1},
		"largest base and cap":  {client.RetryPolicy{BaseDelay: math.MaxInt64, MaxDelay: math.MaxInt64}, []roundTripFunc{failed}, math.MaxInt64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := 800
				if test.upTo == math.MaxInt64 {
					n = 1 // the synctest clock can't advance further
				}
				got := waits(t, n, test.policy, test.before...)
				if got[0] < 0 || got[n-1] > test.upTo {
					t.Fatalf("waits range from %v to %v, want 0 to %v", got[0], got[n-1], test.upTo)
				}
				if n == 1 || test.upTo == 1 {
					return
				}
				// Waits are uniformly distributed: their quantiles are within 5 standard deviations.
				for _, q := range []float64{0.02, 0.25, 0.5, 0.75, 0.98} {
					want := time.Duration(q * float64(test.upTo))
					tolerance := time.Duration(5 * math.Sqrt(q*(1-q)/float64(n)) * float64(test.upTo))
					if d := got[int(q*float64(n))] - want; d.Abs() > tolerance {
						t.Errorf("quantile %v: %v, want %v ± %v", q, want+d, want, tolerance)
					}
				}
			})
		})
	}
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
