package client

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// RetryPolicy sets the number of attempts, the waits between them and their
// timeout. The package documentation says which outcomes are retried. A zero field
// means the default.
type RetryPolicy struct {
	// MaxAttempts is the largest number of attempts of a call, including the
	// first. The default is 3, and 1 disables retries.
	MaxAttempts int
	// BaseDelay is the longest wait before the first retry. The longest wait doubles
	// with each further retry. The actual wait is random: between 0 and the longest
	// wait, or between half of it and all of it if a POST was possibly processed.
	// The default is 250 ms. A 429 or 503 without Retry-After raises it to at least
	// 1 s.
	BaseDelay time.Duration
	// MaxDelay limits the longest wait, however often it doubles. The default is
	// 5 s.
	MaxDelay time.Duration
	// MaxRetryAfter is the longest Retry-After that the Client waits for. A longer
	// one ends the call with the *ErrorResponse. The default is 10 s.
	MaxRetryAfter time.Duration
	// AttemptTimeout limits each attempt, from connecting to the end of the response
	// body. The default is 8 s.
	AttemptTimeout time.Duration
}

// busyDelay is the smallest BaseDelay after a 429 or 503 without a Retry-After.
const busyDelay = time.Second

func (p *RetryPolicy) setDefaults() {
	p.MaxAttempts = cmp.Or(p.MaxAttempts, 3)
	p.BaseDelay = cmp.Or(p.BaseDelay, 250*time.Millisecond)
	p.MaxDelay = cmp.Or(p.MaxDelay, 5*time.Second)
	p.MaxRetryAfter = cmp.Or(p.MaxRetryAfter, 10*time.Second)
	p.AttemptTimeout = cmp.Or(p.AttemptTimeout, 8*time.Second)
}

// The reasons that error texts mention.
const reasonBudget, reasonDeadline = "retry budget exhausted", "deadline"

// decide returns how long to wait before the next attempt of a failed call, or the
// reason why there is none. It ignores the budget. ended is what the call's ended
// method returned.
func (p *RetryPolicy) decide(c *call, method string, ended error) (wait time.Duration, reason string) {
	ambiguousPOST := c.class == possiblyProcessed && method == http.MethodPost
	wait, retryAfter := p.wait(c, ambiguousPOST)
	switch {
	case c.class == final:
		return 0, "not retryable"
	case ended == context.Canceled:
		return 0, "context canceled"
	case ended != nil:
		return 0, reasonDeadline
	case c.last.Number >= p.MaxAttempts:
		return 0, "attempts exhausted"
	case ambiguousPOST && c.ambiguous:
		return 0, "possibly processed" // another retry could create another unused token
	case retryAfter > p.MaxRetryAfter:
		return 0, "Retry-After too long"
	case wait >= time.Until(c.deadline):
		return 0, reasonDeadline
	}
	return wait, ""
}

// wait returns a random wait before the next attempt, and the wait that the server
// asked for, or 0.
func (p *RetryPolicy) wait(c *call, ambiguousPOST bool) (wait, retryAfter time.Duration) {
	base := p.BaseDelay
	if e, ok := c.last.Err.(*ErrorResponse); ok {
		retryAfter, ok = parseRetryAfter(e.Header.Get("Retry-After"))
		if !ok && (e.StatusCode == http.StatusTooManyRequests || e.StatusCode == http.StatusServiceUnavailable) {
			base = max(base, busyDelay)
		}
	}
	longest := backoff(base, p.MaxDelay, c.last.Number-1)
	if ambiguousPOST { // there is only one retry, so give the server time to recover
		wait = longest / 2
	}
	return max(wait+rand.N(longest-wait), retryAfter), retryAfter
}

// backoff returns base·2ⁿ, or limit if that is less.
func backoff(base, limit time.Duration, n int) time.Duration {
	if base > limit>>n {
		return limit
	}
	return base << n
}

// A retrier is the Doer of the generated client. It sends requests through
// go-retryablehttp and decides whether to retry them.
type retrier struct {
	http    retryablehttp.Client
	policy  RetryPolicy
	budget  budget
	observe func(context.Context, Attempt)
}

func newRetrier(hc *http.Client, s *settings) *retrier {
	r := &retrier{policy: s.retry, observe: s.observe}
	r.http = retryablehttp.Client{
		HTTPClient:   hc,
		RetryMax:     s.retry.MaxAttempts, // never reached: decide stops earlier
		CheckRetry:   r.checkRetry,
		Backoff:      decidedWait,
		PrepareRetry: dropCookies,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return r
}

// Do sends the request, and sends it again until checkRetry returns false.
func (r *retrier) Do(req *http.Request) (*http.Response, error) {
	call := callFrom(req.Context())
	defer func() {
		if call.unsent { // because the context ended or an observer panicked
			r.budget.spend(-retryCost)
		}
	}()
	return r.http.Do(&retryablehttp.Request{Request: req})
}

// checkRetry decides whether to retry after an attempt, and calls the observer.
func (r *retrier) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if err != nil {
		return false, nil // http.Client refused the request, so there was no attempt
	}
	call := callFrom(ctx)
	last := &call.last
	switch {
	case last.Err == nil && last.Number == 1:
		r.budget.spend(-firstSuccess)
	case last.Err == nil:
		r.budget.spend(-retryCost)
	default:
		last.RetryIn, last.Reason = r.policy.decide(call, resp.Request.Method, call.ended(ctx))
		if last.Reason == "" && !r.budget.spend(retryCost) {
			last.RetryIn, last.Reason = 0, reasonBudget
		}
		last.WillRetry = last.Reason == ""
	}
	call.unsent = last.WillRetry
	call.ambiguous = call.ambiguous || last.WillRetry && call.class == possiblyProcessed
	r.observe(ctx, *last)
	return last.WillRetry, nil
}

// decidedWait is the Backoff function for go-retryablehttp. It returns the wait that
// checkRetry chose.
func decidedWait(_, _ time.Duration, _ int, resp *http.Response) time.Duration {
	return callFrom(resp.Request.Context()).last.RetryIn
}

// dropCookies removes the cookies that http.Client added from the user's Jar,
// because it adds them again for the retry.
func dropCookies(req *http.Request) error {
	req.Header.Del("Cookie")
	return nil
}

// parseRetryAfter parses a Retry-After header (RFC 9110, section 10.2.3), which is
// a number of seconds or an HTTP date. It returns 0 for a date in the past, and the
// largest Duration for a longer wait. ok is false if the value is neither a number
// nor a date.
func parseRetryAfter(value string) (d time.Duration, ok bool) {
	if value != "" && strings.Trim(value, "0123456789") == "" {
		if d, err := time.ParseDuration(value + "s"); err == nil {
			return d, true
		}
		return math.MaxInt64, true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return max(0, time.Until(date)), true // Until returns at most the largest Duration
}
