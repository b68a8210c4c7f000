package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A call is the state of one API call. The context of the call's requests
// carries it. Only the attempt and the retrier write to it, each its own part.
type call struct {
	operation     string
	linkToken     string // "" for generateLinkToken
	authorization string // the header
	deadline      time.Time
	decode        func(header http.Header, body []byte) (any, error)

	// Written by the attempt, apart from what last says of the next one.
	last     Attempt        // Err is free of secrets
	result   any            // of the last attempt, if it succeeded
	class    class          // of the last attempt
	response *ErrorResponse // the last response, if it was outside 2xx

	// Written by the retrier.
	ambiguous bool // retried although the server may have acted
	unsent    bool // a retry was taken from the budget and not sent yet
}

type callKey struct{}

func callFrom(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// ended returns the error of the context or the deadline, or nil while time
// remains. A deadline that has passed counts even if the timer of ctx has yet to
// fire.
func (c *call) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// end returns the call's result or error. err is what kept the request from
// being sent, if there was no attempt.
func (c *call) end(ctx context.Context, err error) (any, error) {
	switch {
	case c.last.Number == 0:
		return nil, c.failed(err)
	case c.last.Err == nil:
		return c.result, nil
	}
	ended := c.ended(ctx)
	switch _, isResponse := c.last.Err.(*ErrorResponse); {
	case !isResponse:
		return nil, c.failed(join(ended, c.last.Err))
	case ended != nil:
		return nil, c.failed(ended)
	}
	return nil, c.finalResponse()
}

// finalResponse is a copy of the last response with the figures of the whole
// call. The original may be in the hands of an observer.
func (c *call) finalResponse() *ErrorResponse {
	e := *c.response
	e.Attempts = c.last.Number
	e.notRetried = c.last.Reason
	return &e
}

// failed returns the error of a call whose last attempt got no response.
func (c *call) failed(err error) error {
	f := &failure{text: "oneloop: " + c.operation + ": " + c.text(err), cause: err}
	reason := c.last.Reason
	if errors.Is(err, context.DeadlineExceeded) && reason == reasonDeadline {
		reason = ""
	}
	f.text += history(c.last.Number, reason)
	if c.response != nil {
		f.text += " (last response: " + c.response.summary() + ")"
		f.cause = errors.Join(err, c.finalResponse())
	}
	return f
}

// history is the part of an error text that tells of the call's attempts.
func history(attempts int, reason string) (text string) {
	if attempts > 1 {
		text = fmt.Sprintf(" after %d attempts", attempts)
	}
	if reason == reasonBudget || reason == reasonDeadline {
		text += " (not retried: " + reason + ")"
	}
	return text
}

// hide returns err with a text that may be shown.
func (c *call) hide(err error) error { return &failure{text: c.text(err), cause: err} }

func (c *call) text(err error) string { return limit(c.redact(oneLine(err.Error()))) }

func (c *call) redact(text string) string {
	return redact(text, strings.TrimPrefix(c.authorization, bearer), c.linkToken)
}

// join returns an error that matches both: err itself if that matches first, or
// first if that matches err.
func join(first, err error) error {
	switch {
	case first == nil || errors.Is(err, first):
		return err
	case err == nil || errors.Is(first, err):
		return first
	}
	return fmt.Errorf("%w: %w", first, err)
}
