package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/oneloop-ai/oneloop-go/internal/transport"
)

// A call describes an API call for do.
type call struct {
	operation string
	linkToken string // the argument, if the operation has one
	request   func(ctx context.Context, baseURL string) (*http.Request, error)
	decode    func(header http.Header, body []byte) error // stores the result of a 200
}

// A run holds the state of one API call. It is one struct, and holds the two clients
// by value, because each variable that a closure captures is an allocation.
type run struct {
	progress
	decision    decision // after the last attempt
	secrets     secrets
	deadline    time.Time
	httpClient  http.Client
	retryClient retryablehttp.Client
}

// do makes one API call, from top to bottom:
//
//	prepare  gets the SDK key and builds the request
//	send     makes an attempt and keeps its outcome; http.Client and go-retryablehttp
//	         get an empty response, so that they act on nothing
//	check    credits the budget, decides whether to retry, charges the budget, and
//	         calls the observers
//	wait     returns the wait that was decided; then send makes the next attempt
//	finish   returns the error; if it is nil, decode has stored the result
//
// A retry that was paid for but not sent is refunded at the end.
func (c *Client) do(ctx context.Context, op call) error {
	r := &run{secrets: secrets{linkToken: op.linkToken}, deadline: time.Now().Add(c.timeout)}
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(r.deadline) {
		r.deadline = deadline
	}
	req, err := c.prepare(ctx, op, r)
	if err != nil {
		return r.finish(ctx, op, err)
	}

	send := func(req *http.Request) (*http.Response, error) {
		if r.attempts > 0 && req.GetBody != nil {
			req.Body, _ = req.GetBody() // can't fail: the body is a bytes.Reader
		}
		r.attempts, r.decision = r.attempts+1, decision{}
		r.last = c.attempt(req, op, r.secrets, r.deadline, r.attempts)
		if response, ok := r.last.err.(*ErrorResponse); ok || errors.Is(r.last.err, ErrMalformedResponse) {
			r.response = response // a malformed response replaces an earlier error response
		}
		return &emptyResponse, nil
	}
	check := func(ctx context.Context, _ *http.Response, _ error) (bool, error) {
		if definitive := r.last.status != 0 && r.last.class == conclusive; definitive && r.attempts == 1 {
			c.budget.spend(-firstResponse)
		} else if definitive {
			c.budget.spend(-retryCost)
		}
		if r.last.err != nil {
			r.decision = c.policy.decide(r.progress, req.Method == http.MethodPost, contextError(ctx, r.deadline), time.Until(r.deadline), rand.Float64())
		}
		if r.decision.retry && !c.budget.spend(retryCost) {
			r.decision = decision{reason: reasonBudget}
		}
		r.ambiguous = r.ambiguous || r.decision.retry && r.last.class == possiblyProcessed
		for _, observe := range c.observers {
			observe(ctx, Attempt{
				Operation: op.operation, Number: r.attempts,
				StatusCode: r.last.status, Err: r.last.err, Duration: r.last.duration,
				RetryIn: r.decision.wait, WillRetry: r.decision.retry, Reason: r.decision.reason,
			})
		}
		return r.decision.retry, nil
	}
	wait := func(time.Duration, time.Duration, int, *http.Response) time.Duration { return r.decision.wait }

	defer func() {
		if r.decision.retry { // but not sent, because the context ended or an observer panicked
			c.budget.spend(-retryCost)
		}
	}()
	r.httpClient.Transport = roundTripFunc(send)
	r.retryClient.HTTPClient = &r.httpClient
	r.retryClient.RetryMax = c.policy.MaxAttempts // never reached: decide stops earlier
	r.retryClient.CheckRetry, r.retryClient.Backoff = check, wait
	_, err = r.retryClient.Do(&retryablehttp.Request{Request: req})
	return r.finish(ctx, op, err)
}

// emptyResponse is what http.Client and go-retryablehttp get to see. Neither changes it.
var emptyResponse = http.Response{Body: http.NoBody}

// A roundTripFunc is an http.RoundTripper. It deliberately has no method
// CloseIdleConnections, which go-retryablehttp would call after every failure.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// prepare gets the SDK key and builds the request.
func (c *Client) prepare(ctx context.Context, op call, r *run) (_ *http.Request, err error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if r.secrets.authorization, err = c.authorize(ctx, r.deadline); err != nil {
		return nil, err
	}
	return op.request(ctx, c.baseURL)
}

// contextError returns the context's error, or context.DeadlineExceeded at the
// deadline, even if the timer of ctx is late, or nil while time remains.
func contextError(ctx context.Context, deadline time.Time) error {
	if ctx.Err() == nil && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// attempt sends the request once and returns what came of it. It adds the headers
// only here, so that http.Client, which copies them, never holds the SDK key.
func (c *Client) attempt(req *http.Request, op call, s secrets, deadline time.Time, number int) outcome {
	header := make(http.Header, 8)
	maps.Copy(header, req.Header)
	maps.Copy(header, c.header)
	header["Authorization"] = []string{s.authorization}
	result := c.transport.Send(req, header, deadline)

	o := outcome{status: result.Status, duration: result.Duration, retryAfter: -1}
	o.class = classify(result.Status, result.Fate, result.Err)
	switch {
	case result.Status != 0 && result.Status/100 != 2:
		o.retryAfter = parseRetryAfter(result.Header.Get("Retry-After"))
		o.err = newErrorResponse(op.operation, number, s, result, o.retryAfter)
	case result.Status != 0 && result.Status != http.StatusOK:
		o.err = malformed(fmt.Errorf("the status is %d, not 200", result.Status))
	case errors.Is(result.Err, transport.ErrTooLarge):
		o.err = malformed(result.Err)
	case result.Err != nil:
		o.err = s.sanitize(result.Err)
	default:
		if err := op.decode(result.Header, result.Body); err != nil {
			o.err = malformed(err)
		}
	}
	return o
}

// finish returns the error of the call, or nil. If there was no attempt, err says why.
func (r *run) finish(ctx context.Context, op call, err error) error {
	if r.attempts > 0 {
		err = r.last.err
	}
	if err == nil {
		return nil
	}
	ended := contextError(ctx, r.deadline)
	switch _, isResponse := err.(*ErrorResponse); {
	case isResponse && ended == nil:
		return r.finalResponse()
	case isResponse:
		err = ended
	case ended != nil && !errors.Is(err, ended):
		err = fmt.Errorf("%w: %w", ended, err)
	}
	f := &failure{text: "oneloop: " + op.operation + ": " + r.secrets.clean(err.Error()), cause: err}
	f.text += history(r.attempts, r.decision.reason == reasonBudget)
	if r.response != nil {
		f.text += " (last response: " + r.response.summary() + ")"
		f.cause = errors.Join(err, r.finalResponse())
	}
	return f
}

// finalResponse returns a copy of the last response that describes the whole call. It
// does not change the original, because an observer may have kept it.
func (r *run) finalResponse() *ErrorResponse {
	e := *r.response
	e.Attempts = r.attempts
	e.overBudget = r.decision.reason == reasonBudget
	return &e
}
