package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/oneloop-ai/oneloop-go/gen"
)

// A call is the state of one method call of a user. As the generated client's
// Doer it sends the request through go-retryablehttp, as the transport of that
// it makes each attempt, and its CheckRetry and Backoff decide what is next.
// That is why go-retryablehttp gets a Client per call: its hooks are told
// neither the context nor, where an attempt failed, the response.
type call struct {
	client        *Client
	operation     string
	linkToken     string // "" for generateLinkToken
	authorization string // the header
	method        string
	deadline      time.Time // of the call; zero: none

	result interface {
		// parse reads a 2xx, or says why it is malformed.
		parse(header http.Header, body []byte) error
	}

	attempts  int
	ambiguous bool     // retried after an outcome in which the server may have acted
	last      outcome  // of the last attempt
	answered  *outcome // the last answer outside 2xx, if no 2xx has followed
	waiting   bool     // a retry is paid for and not yet sent

	api     gen.Client
	http    http.Client
	retry   retryablehttp.Client
	request retryablehttp.Request
}

// start checks the context, sets the deadline and gets the key.
func (c *call) start(ctx context.Context) (err error) {
	if ctx == nil {
		return invalid(c.operation, "the context is nil")
	}
	if ctx.Err() != nil {
		return c.failed(ctx.Err())
	}
	var bounded bool
	if c.deadline, bounded = ctx.Deadline(); !bounded && c.client.timeout > 0 {
		c.deadline = time.Now().Add(c.client.timeout)
	}
	if c.authorization, err = c.client.authorize(ctx, c.deadline); err != nil {
		return c.failed(err)
	}
	return nil
}

// Do sends the request, and again as the retry policy allows.
func (c *call) Do(req *http.Request) (*http.Response, error) {
	c.method = req.Method
	c.http = c.client.http
	c.http.Transport = c
	c.retry.HTTPClient = &c.http
	c.retry.RetryMax = c.client.retry.MaxAttempts // checkRetry ends sooner
	c.retry.CheckRetry = c.checkRetry
	c.retry.Backoff = func(wait, _ time.Duration, _ int, _ *http.Response) time.Duration { return wait }
	c.retry.PrepareRetry = dropCookies
	c.retry.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.request.Request = req
	resp, err := c.retry.Do(&c.request)
	if c.waiting {
		c.client.budget.deposit(retryCost) // the context ended the wait
	}
	return resp, err
}

// dropCookies undoes what http.Client adds of a user's Jar, as it will do again.
func dropCookies(req *http.Request) error {
	req.Header.Del("Cookie")
	return nil
}

// ended says how the call's time has ended, if it has. A deadline that has
// passed counts also where the timer of ctx has yet to fire.
func (c *call) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !c.deadline.IsZero() && !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// finish returns the error that the call ends with, nil for a success. err is
// what http.Client and go-retryablehttp made of the last attempt, on which they
// may have lost an answer, such as a redirect whose Location doesn't parse.
func (c *call) finish(ctx context.Context, err error) error {
	if c.attempts == 0 {
		return c.failed(err)
	}
	if c.last.success() {
		return nil
	}
	ended := c.ended(ctx)
	if c.last.answered() && ended == nil {
		return c.errorResponse()
	}
	return c.failed(matching(c.last.err, ended))
}

// errorResponse is the last answer outside 2xx, nil if there was none.
func (c *call) errorResponse() *ErrorResponse {
	if c.answered == nil {
		return nil
	}
	e := newErrorResponse(c.operation, c.answered, c.redact)
	e.Attempts = c.attempts
	return e
}

// failed is a call's error without an answer, or with one that came before.
func (c *call) failed(err error) error {
	f := &failure{text: "oneloop: " + c.operation + ": " + c.text(err), cause: err}
	if c.attempts > 1 {
		f.text += fmt.Sprintf(" after %d attempts", c.attempts)
	}
	if before := c.errorResponse(); before != nil {
		f.text += " (last answer: " + before.summary() + ")"
		f.cause = errors.Join(err, before)
	}
	return f
}

// text is what may be shown of err.
func (c *call) text(err error) string { return oneLine(c.redact(err.Error())) }

func (c *call) redact(text string) string {
	return redact(text, strings.TrimPrefix(c.authorization, bearer), c.linkToken)
}

// matching returns err so that it matches ended too, unless that is nil.
func matching(err, ended error) error {
	switch {
	case ended == nil || errors.Is(err, ended):
		return err
	case err == nil:
		return ended
	default:
		return fmt.Errorf("%w: %w", ended, err)
	}
}
