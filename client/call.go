package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A call holds the state of one API call. Its requests carry it in their context.
// Only the attempt and the retrier write to it, each to its own fields.
type call struct {
	operation     string
	linkToken     string // "" for generateLinkToken
	authorization string // the value of the header
	deadline      time.Time
	decode        func(header http.Header, body []byte) (any, error)

	// Written by the attempt, except for what last says about the next attempt.
	last     Attempt        // Err is free of secrets
	result   any            // of the last attempt, if it succeeded
	class    class          // of the last attempt
	response *ErrorResponse // the last response, if it was outside 2xx

	// Written by the retrier.
	ambiguous bool // retried although the server may have acted
	unsent    bool // a retry has been charged to the budget but not sent yet
}

type callKey struct{}

func callFrom(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// ended returns the context or deadline error, or nil while time remains. It does
// not depend on the timer of ctx, which may fire late.
func (c *call) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// end returns the call's result or error. If there was no attempt, err says why.
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

// finalResponse returns a copy of the last response that describes the whole call.
// It does not change the original, because an observer may have kept it.
func (c *call) finalResponse() *ErrorResponse {
	e := *c.response
	e.Attempts = c.last.Number
	e.notRetried = c.last.Reason
	return &e
}

// failed returns the error of a call that did not end with an *ErrorResponse. If an
// attempt got one, the error includes the last.
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

// history returns the part of an error text about the call's attempts: how many
// there were and, in some cases, why there were no more.
func history(attempts int, reason string) (text string) {
	if attempts > 1 {
		text = fmt.Sprintf(" after %d attempts", attempts)
	}
	if reason == reasonBudget || reason == reasonDeadline {
		text += " (not retried: " + reason + ")"
	}
	return text
}

// sanitize wraps err in an error with a text that is safe to show.
func (c *call) sanitize(err error) error { return &failure{text: c.text(err), cause: err} }

func (c *call) text(err error) string { return limit(c.redact(oneLine(err.Error()))) }

func (c *call) redact(text string) string {
	return redact(text, strings.TrimPrefix(c.authorization, bearer), c.linkToken)
}

// join returns an error that matches both first and err. If one of them already
// matches the other, join returns it unchanged.
func join(first, err error) error {
	switch {
	case first == nil || errors.Is(err, first):
		return err
	case err == nil || errors.Is(first, err):
		return first
	}
	return fmt.Errorf("%w: %w", first, err)
}
