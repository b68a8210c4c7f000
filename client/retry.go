package client

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oneloop-ai/oneloop-go/internal/transport"
)

// RetryPolicy limits the attempts of a call and the waits between them. A zero field
// means the default. The package documentation says which outcomes are retried.
//
// The wait before retry n, counted from 0, is random: between half and all of
// BaseDelay·2ⁿ, or of MaxDelay if that is less. A Retry-After header, in seconds or
// as an HTTP date, is a lower limit of the wait.
//
// Each [Client] also has a retry budget of 500 units, so that retries don't make an
// outage worse. A retry costs 14 units. They are returned if it gets a definitive
// response, a 400 as much as a 200, or is not sent. Each first attempt with such a
// response adds 1 unit, up to 500. When there are too few, calls are not retried, and
// their errors say so: 1,000 calls to a dead server make at most 1,035 attempts.
type RetryPolicy struct {
	// MaxAttempts is the maximum number of attempts per call, including the first.
	// The default is 3, and 1 disables retries.
	MaxAttempts int
	// BaseDelay is the longest wait before the first retry; it doubles with each
	// further one. The default is 250 ms. After a 429 or 503 without Retry-After, it
	// is at least 1 s.
	BaseDelay time.Duration
	// MaxDelay limits the longest wait, however often it doubles. The default is
	// 5 s.
	MaxDelay time.Duration
	// MaxRetryAfter is the longest Retry-After that the Client waits for. A longer
	// one ends the call with the [*ErrorResponse]. The default is 10 s.
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

// A class says what an attempt's outcome means for a retry.
type class int

const (
	conclusive        class = iota // a retry would lead to the same outcome
	notProcessed                   // the server has not acted
	possiblyProcessed              // the server may have acted
)

// classify returns the class of an attempt. The status is 0 if there was no
// response; only then does the fate count.
func classify(status int, fate transport.Fate, err error) class {
	switch {
	case errors.Is(err, transport.ErrTooLarge):
		return conclusive // the next response would be just as long
	case status == 0 && fate == transport.Hopeless:
		return conclusive
	case status == 0 && fate == transport.NotSent:
		return notProcessed
	case status == 0, status == http.StatusOK && err != nil:
		return possiblyProcessed
	}
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return notProcessed
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return possiblyProcessed
	}
	return conclusive
}

// An outcome is what came of an attempt.
type outcome struct {
	status     int // 0 if there was no response
	duration   time.Duration
	err        error // nil if the attempt produced the call's result; safe to show
	class      class
	retryAfter time.Duration // -1 if the response asks for no wait
}

// A progress records the attempts of a call so far.
type progress struct {
	attempts  int
	last      outcome
	response  *ErrorResponse // the last one, if any
	ambiguous bool           // whether the call was retried although the server may have acted
}

// A decision says whether to make another attempt.
type decision struct {
	retry  bool
	wait   time.Duration
	reason string // why not, unless the attempt succeeded
}

// The reasons that are used more than once.
const reasonBudget, reasonDeadline = "retry budget exhausted", "deadline"

// decide decides after a failed attempt; it leaves the budget to the caller. A method
// other than POST is idempotent. ended is the context's error, if the call's time has
// ended, and left is the time that is left. random is at least 0 and less than 1.
func (p *RetryPolicy) decide(s progress, post bool, ended error, left time.Duration, random float64) decision {
	wait := max(p.wait(s.last, s.attempts-1, random), s.last.retryAfter)
	ambiguousPOST := post && s.last.class == possiblyProcessed
	switch {
	case s.last.class == conclusive:
		return decision{reason: "not retryable"}
	case ended == context.Canceled:
		return decision{reason: "context canceled"}
	case ended != nil:
		return decision{reason: reasonDeadline}
	case s.attempts >= p.MaxAttempts:
		return decision{reason: "attempts exhausted"}
	case ambiguousPOST && s.ambiguous:
		return decision{reason: "possibly processed"} // another retry could create another unused token
	case s.last.retryAfter > p.MaxRetryAfter:
		return decision{reason: "Retry-After too long"}
	case wait >= left:
		return decision{reason: reasonDeadline}
	}
	return decision{retry: true, wait: wait}
}

// wait returns a random wait before retry n, without regard to a Retry-After.
func (p *RetryPolicy) wait(last outcome, n int, random float64) time.Duration {
	base := p.BaseDelay
	if isBusy := last.status == http.StatusTooManyRequests || last.status == http.StatusServiceUnavailable; isBusy && last.retryAfter < 0 {
		base = max(base, busyDelay)
	}
	longest := backoff(base, p.MaxDelay, n)
	return longest/2 + time.Duration(random*float64(longest-longest/2))
}

// backoff returns base·2ⁿ, or limit if that is less.
func backoff(base, limit time.Duration, n int) time.Duration {
	if base > limit>>n {
		return limit
	}
	return base << n
}

// parseRetryAfter parses a Retry-After header (RFC 9110, section 10.2.3), which is a
// number of seconds or an HTTP date. It returns 0 for a date in the past, the largest
// Duration for a longer wait, and -1 for anything else.
func parseRetryAfter(value string) time.Duration {
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseUint(value, 10, 64)
		if err != nil || seconds > uint64(math.MaxInt64/time.Second) {
			return math.MaxInt64
		}
		return time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return -1
	}
	return max(0, time.Until(date)) // Until returns at most the largest Duration
}

// A full budget pays for 35 retries without a definitive response between them. In the
// long run, 14 such responses to first attempts pay for a retry that gets none.
const (
	budgetSize    = 500
	retryCost     = 14 // refunded if the retry gets a definitive response, or is not sent
	firstResponse = 1  // for a definitive response to a first attempt
)

// A budget limits the load that a Client's retries add to a failing server.
type budget struct {
	mu    sync.Mutex
	spent int
}

// spend takes n units from the budget, and reports whether that many were left. A
// negative n puts units back.
func (b *budget) spend(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent+n > budgetSize {
		return false
	}
	b.spent = max(0, b.spent+n)
	return true
}
