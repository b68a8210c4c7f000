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

// RetryPolicy says how often and how patiently a call is retried; the package
// documentation says which outcomes are retried at all. A zero field has its
// default.
type RetryPolicy struct {
	// MaxAttempts is the largest number of attempts of a call, including the
	// first. The default is 3; 1 means never to retry.
	MaxAttempts int
	// BaseDelay is the longest wait before the first retry. It doubles with each
	// further retry. The wait is drawn at random between 0 and that, or between
	// half of that and that if a POST may have been processed. The default is
	// 250 ms. After a 429 or 503 without Retry-After it is at least 1 s.
	BaseDelay time.Duration
	// MaxDelay is the largest value that the doubling BaseDelay can reach. The
	// default is 5 s.
	MaxDelay time.Duration
	// MaxRetryAfter is the longest Retry-After that is waited for. A longer one
	// ends the call with its *ErrorResponse. The default is 10 s.
	MaxRetryAfter time.Duration
	// AttemptTimeout bounds each attempt, from connecting to the end of the
	// response's body. The default is 8 s.
	AttemptTimeout time.Duration
}

// busyDelay is the least base of the wait after a 429 or 503 that doesn't say how
// long to wait.
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

// decide returns how long to wait before a failed call's next attempt, or the
// reason why there is none. It leaves the budget out of account. ended is the
// error of the call's context or deadline.
func (p *RetryPolicy) decide(c *call, method string, ended error) (wait time.Duration, reason string) {
	ambiguousPOST := c.class == possiblyProcessed && method == http.MethodPost
	wait, asked := p.wait(c, ambiguousPOST)
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
		return 0, "possibly processed" // a second retry could make a second unused token
	case asked > p.MaxRetryAfter:
		return 0, "Retry-After too long"
	case wait >= time.Until(c.deadline):
		return 0, reasonDeadline
	}
	return wait, ""
}

// wait draws the wait before the next attempt, and returns how long the server
// asked to wait, if it did.
func (p *RetryPolicy) wait(c *call, ambiguousPOST bool) (wait, asked time.Duration) {
	base := p.BaseDelay
	if e, ok := c.last.Err.(*ErrorResponse); ok {
		asked, ok = parseRetryAfter(e.Header.Get("Retry-After"))
		if !ok && (e.StatusCode == http.StatusTooManyRequests || e.StatusCode == http.StatusServiceUnavailable) {
			base = max(base, busyDelay)
		}
	}
	longest := backoff(base, p.MaxDelay, c.last.Number-1)
	if ambiguousPOST { // there is one retry: leave the server time to recover
		wait = longest / 2
	}
	return max(wait+rand.N(longest-wait), asked), asked
}

// backoff returns base·2ⁿ, or limit if that is less.
func backoff(base, limit time.Duration, n int) time.Duration {
	if base > limit>>n {
		return limit
	}
	return base << n
}

// A retrier is the generated client's Doer. It sends a request through
// go-retryablehttp, as often as the policy and the budget allow.
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
		RetryMax:     s.retry.MaxAttempts, // decide stops sooner
		CheckRetry:   r.checkRetry,
		Backoff:      decidedWait,
		PrepareRetry: dropCookies,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return r
}

// Do sends the request, and again as long as checkRetry says so.
func (r *retrier) Do(req *http.Request) (*http.Response, error) {
	call := callFrom(req.Context())
	defer func() {
		if call.unsent { // the context ended the wait, or an observer panicked
			r.budget.spend(-retryCost)
		}
	}()
	return r.http.Do(&retryablehttp.Request{Request: req})
}

// checkRetry decides after each attempt what follows, and tells the observer.
func (r *retrier) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if err != nil {
		return false, nil // http.Client refused the request: there was no attempt
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

// decidedWait is the Backoff of go-retryablehttp.
func decidedWait(_, _ time.Duration, _ int, resp *http.Response) time.Duration {
	return callFrom(resp.Request.Context()).last.RetryIn
}

// dropCookies removes the cookies that http.Client has added from the user's Jar,
// because it adds them again.
func dropCookies(req *http.Request) error {
	req.Header.Del("Cookie")
	return nil
}

// parseRetryAfter parses a Retry-After header (RFC 9110, section 10.2.3): seconds
// or an HTTP date. A date that has passed is 0, and a value that a time.Duration
// can't hold is its maximum. ok is false for anything else.
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
	return max(0, time.Until(date)), true // Until saturates
}
