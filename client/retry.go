package client

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryPolicy says how often and how patiently a call is retried; which outcomes
// are retried at all is in the package documentation. A zero field has its
// default.
type RetryPolicy struct {
	// MaxAttempts is the largest number of attempts of a call, the first one
	// included. The default is 3; 1 means never to retry.
	MaxAttempts int
	// BaseDelay is the longest wait before the first retry. It doubles with each
	// further retry, and every wait is drawn at random between 0 and that. The
	// default is 250 ms. After a 429 or 503 without Retry-After it is at least 1 s.
	BaseDelay time.Duration
	// MaxDelay is the largest value that the doubling BaseDelay can reach. The
	// default is 5 s.
	MaxDelay time.Duration
	// MaxRetryAfter is the longest Retry-After that is waited for. A longer one
	// ends the call with its *ErrorResponse. The default is 10 s.
	MaxRetryAfter time.Duration
	// AttemptTimeout bounds each attempt, from connecting to the end of the
	// answer's body. The default is 8 s.
	AttemptTimeout time.Duration
}

// busyDelay is the least base of the wait after a 429 or 503 that doesn't say how
// long to wait.
const busyDelay = time.Second

func (p RetryPolicy) withDefaults() RetryPolicy {
	return RetryPolicy{
		MaxAttempts:    cmp.Or(p.MaxAttempts, 3),
		BaseDelay:      cmp.Or(p.BaseDelay, 250*time.Millisecond),
		MaxDelay:       cmp.Or(p.MaxDelay, 5*time.Second),
		MaxRetryAfter:  cmp.Or(p.MaxRetryAfter, 10*time.Second),
		AttemptTimeout: cmp.Or(p.AttemptTimeout, 8*time.Second),
	}
}

// checkRetry decides after each attempt what is next, and tells the observer.
// go-retryablehttp's own view of the attempt is not used: the transport's is
// whole, where http.Client's has lost a 3xx with a Location that doesn't parse.
func (c *call) checkRetry(ctx context.Context, _ *http.Response, _ error) (bool, error) {
	o := &c.last
	if o.success() {
		if c.attempts == 1 {
			c.client.budget.deposit(firstSuccess)
		} else {
			c.client.budget.deposit(retryCost)
		}
	}
	wait, retry := c.next(ctx)
	c.waiting = retry
	c.retry.RetryWaitMin = wait // which Backoff is called with, and returns
	a := Attempt{
		Operation:  c.operation,
		Number:     c.attempts,
		StatusCode: o.status,
		Duration:   o.duration,
		RetryIn:    wait,
		WillRetry:  retry,
	}
	if o.err != nil {
		a.Err = &failure{text: c.text(o.err), cause: o.err}
	}
	c.client.observe(ctx, a)
	return retry, nil
}

// next returns how long to wait before the next attempt, or that there is none.
func (c *call) next(ctx context.Context) (wait time.Duration, retry bool) {
	o, policy := &c.last, &c.client.retry
	class := o.class()
	switch {
	case class == final, c.ended(ctx) != nil, c.attempts >= policy.MaxAttempts:
		return 0, false
	case class == perhapsProcessed && c.method == http.MethodPost && c.ambiguous:
		return 0, false // a second one could make a second unused token
	case o.retryAfter > policy.MaxRetryAfter:
		return 0, false
	}
	base := policy.BaseDelay
	if !o.hasRetryAfter && (o.status == http.StatusTooManyRequests || o.status == http.StatusServiceUnavailable) {
		base = max(base, busyDelay)
	}
	wait = max(jitter(base, policy.MaxDelay, c.attempts-1), o.retryAfter)
	if !c.deadline.IsZero() && wait >= time.Until(c.deadline) {
		return 0, false
	}
	if !c.client.budget.withdraw(retryCost) {
		return 0, false
	}
	if class == perhapsProcessed {
		c.ambiguous = true
	}
	return wait, true
}

// class says what an outcome means for a retry.
type class int

const (
	final            class = iota // a retry would not help, or not be wanted
	neverSent                     // the server has surely not acted
	perhapsProcessed              // the server may have acted
)

func (o *outcome) class() class {
	switch {
	case errors.Is(o.err, errOversize), errors.Is(o.err, ErrMalformedResponse), o.err == nil && !o.answered():
		return final
	case !o.answered():
		return errorClass(o.err)
	}
	switch o.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return neverSent
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return perhapsProcessed
	}
	return final
}

func errorClass(err error) class {
	var dns *net.DNSError
	text := err.Error()
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return final
	case isDial(err):
		return neverSent
	// For what follows, net/http and crypto/tls have no types that would tell.
	case strings.Contains(text, "net/http: TLS handshake timeout"):
		return neverSent
	case strings.Contains(text, "tls: "), strings.Contains(text, "x509: "), errors.Is(err, http.ErrSchemeMismatch):
		return final
	}
	return perhapsProcessed
}

// isDial reports whether no connection was made, to the server or to a proxy.
func isDial(err error) bool {
	var op *net.OpError
	for errors.As(err, &op) {
		if op.Op == "dial" {
			return true
		}
		err = op.Err
	}
	return false
}

// jitter draws the wait before retry n, counted from 0: uniform between 0 and
// base·2ⁿ or limit, whichever is less.
func jitter(base, limit time.Duration, n int) time.Duration {
	for ; n > 0; n-- {
		if base > limit/2 {
			base = limit
			break
		}
		base *= 2
	}
	return rand.N(min(base, limit))
}

// parseRetryAfter reads a Retry-After header (RFC 9110, section 10.2.3):
// seconds, or an HTTP date. A date that has passed is 0, and what a
// time.Duration can't hold is its maximum. Anything else is no Retry-After.
func parseRetryAfter(value string) (time.Duration, bool) {
	if value == "" {
		return 0, false
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(math.MaxInt64/time.Second) {
			return math.MaxInt64, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return max(0, time.Until(date)), true // Until saturates
}
