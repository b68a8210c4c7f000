package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestContextDone(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	busy := responds(503, "", "Retry-After", "1")
	for name, test := range map[string]struct {
		steps  []roundTripFunc
		status int // of the last response
	}{
		"in the first attempt":             {[]roundTripFunc{hangs}, 0},
		"in the second attempt":            {[]roundTripFunc{busy, hangs}, 503},
		"in the body of an error":          {[]roundTripFunc{hangsInBody(400)}, 400},
		"in the body of a 200 after a 503": {[]roundTripFunc{busy, hangsInBody(200)}, 503},
		"silently":                         {[]roundTripFunc{hangsSilently}, 0},
	} {
		for how, limits := range map[string]struct{ deadline, timeout time.Duration }{"deadline": {timeout, time.Hour}, "WithTimeout": {0, timeout}} {
			inBubble(t, name+"/"+how, func(t *testing.T) {
				ctx, cancel := within(t.Context(), limits.deadline)
				defer cancel()
				start := time.Now()
				_, err := validate.call(ctx, newClient(t, via(newScript(test.steps...)), client.WithTimeout(limits.timeout)))
				if got := time.Since(start); got != timeout {
					t.Errorf("returned after %v, want %v", got, timeout)
				}
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v does not match context.DeadlineExceeded", err)
				}
				if test.status != 0 && !isResponse(test.status)(err) {
					t.Errorf("%v does not match the response with status %d", err, test.status)
				}
			})
		}
	}
}

func TestContextDoneBeforeCall(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := newScript(responds(200, op.ok))
		if _, err := op.call(ctx, newClient(t, via(s))); !errors.Is(err, context.Canceled) || s.attempts() != 0 {
			t.Errorf("got %v after %d attempts", err, s.attempts())
		}
	}
}

// After the context was canceled, there is no retry, and the Attempt says so.
func TestNoRetryAfterCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var attempts []client.Attempt
	c := newClient(t, record(&attempts), via(roundTripFunc(func(*http.Request) (*http.Response, error) {
		cancel()
		return response(503, ""), nil
	})))
	_, err := validate.call(ctx, c)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrServer) {
		t.Errorf("%v does not match both context.Canceled and ErrServer", err)
	}
	if len(attempts) != 1 || attempts[0].WillRetry || attempts[0].Reason != "context canceled" {
		t.Errorf("got %+v", attempts)
	}
}

// If a wait would pass the deadline, the call ends at once.
func TestNoWaitPastDeadline(t *testing.T) {
	t.Parallel()
	busy := responds(503, "", "Retry-After", "5")
	for name, test := range map[string]struct {
		step     roundTripFunc
		deadline time.Duration
		opt      client.Option
	}{
		"Retry-After, deadline":    {busy, 5 * time.Second, client.WithTimeout(time.Hour)},
		"Retry-After, WithTimeout": {busy, 0, client.WithTimeout(5 * time.Second)},
		"jitter, deadline":         {responds(500, ""), time.Nanosecond, client.WithRetryPolicy(client.RetryPolicy{BaseDelay: time.Hour, MaxDelay: time.Hour})},
	} {
		inBubble(t, name, func(t *testing.T) {
			ctx, cancel := within(t.Context(), test.deadline)
			defer cancel()
			start := time.Now()
			_, err := validate.call(ctx, newClient(t, via(test.step), test.opt))
			e := asResponse(t, err)
			if time.Since(start) != 0 || e.Attempts != 1 {
				t.Errorf("got %v after %d attempts and %v", err, e.Attempts, time.Since(start))
			}
		})
	}
}

// No attempt is sent after the deadline, even if it was an observer that used up
// the time.
func TestNoAttemptAfterDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(503, "", "Retry-After", "0"), responds(200, validated))
		c := newClient(t, via(s), client.WithTimeout(time.Second), quick,
			client.WithObserver(func(context.Context, client.Attempt) { time.Sleep(time.Minute) }))
		_, err := validate.call(t.Context(), c)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, client.ErrServer) || s.attempts() != 1 {
			t.Errorf("got %v after %d requests", err, s.attempts())
		}
	})
}

// A sibling is the type of errSibling, which stands for the error of another call. An
// errgroup makes such an error the cause of its context.
type sibling struct{ *client.ErrorResponse }

func (s *sibling) Unwrap() error { return s.ErrorResponse }

var errSibling = &sibling{&client.ErrorResponse{Operation: "validateLinkToken", StatusCode: 400, Message: "of another call"}}

// matchesSibling reports what of a sibling's error errors.Is or errors.As finds in
// err.
func matchesSibling(err error) string {
	var response *client.ErrorResponse
	switch {
	case errors.As(err, new(*sibling)):
		return "its type"
	case errors.Is(err, client.ErrBadRequest):
		return "its sentinel"
	case errors.As(err, &response) && response.StatusCode == 400:
		return "its response"
	}
	return ""
}

// endings are ways in which a program ends a context with a sibling's error as the
// cause.
var endings = map[string]struct {
	end  func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	want error
}{
	"canceled": {func(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(after, func() { cancel(errSibling) })
		return ctx, func() { cancel(nil) }
	}, context.Canceled},
	"deadline": {func(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeoutCause(ctx, after, errSibling)
	}, context.DeadlineExceeded},
}

// The cause of a context is not the error of this call: a link token must not seem
// invalid because another call got a 400. Not parallel: it replaces
// http.DefaultTransport.
func TestContextCauseIsNotMatched(t *testing.T) {
	caused := func(req *http.Request) (*http.Response, error) { return nil, cause(req.Context()) }
	wrapped := func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("mesh: %w", &url.Error{Op: "Get", URL: req.URL.String(), Err: cause(req.Context())})
	}
	for name, test := range map[string]struct {
		protocol string            // of the server, if there are no steps
		steps    []roundTripFunc   // of the transport
		source   func(error) error // the key source's error
		delay    time.Duration     // before the call
	}{
		"before the call":     {steps: []roundTripFunc{responds(200, generated)}, delay: time.Minute},
		"HTTP/1.1":            {protocol: "HTTP/1.1"},
		"HTTP/2":              {protocol: "HTTP/2"},
		"transport":           {steps: []roundTripFunc{caused}},
		"transport, wrapped":  {steps: []roundTripFunc{wrapped}},
		"transport, hidden":   {steps: []roundTripFunc{hangsSilently}},
		"body":                {steps: []roundTripFunc{hangsInBody(200)}},
		"second attempt":      {steps: []roundTripFunc{responds(502, ""), caused}},
		"waiting for a retry": {steps: []roundTripFunc{responds(503, "", "Retry-After", "3")}},
		"key source":          {source: func(err error) error { return err }},
		"key source, wrapped": {source: func(err error) error {
			return &url.Error{Op: "Get", URL: "https://vault.example", Err: err}
		}},
	} {
		for how, ending := range endings {
			if name == "waiting for a retry" && how == "deadline" {
				continue // the call ends at once
			}
			for _, op := range operations {
				withPipes(t, name+"/"+how+"/"+op.name, test.protocol, hangOnWire, func(t *testing.T, server *pipeServer) {
					var attempts []client.Attempt
					key, opts := testKey, []client.Option{client.WithBaseURL(server.baseURL), record(&attempts)}
					if test.steps != nil {
						opts = append(opts, via(newScript(test.steps...)))
					}
					if test.source != nil {
						key, opts = "", append(opts, client.WithKeySource(func(ctx context.Context) (string, error) {
							return "", test.source(cause(ctx))
						}))
					}
					c := newClientWithKey(t, key, opts...)
					ctx, cancel := ending.end(t.Context(), time.Second)
					defer cancel()
					time.Sleep(test.delay)
					_, err := op.call(ctx, c)
					if !errors.Is(err, ending.want) {
						t.Errorf("%v does not match %v", err, ending.want)
					}
					for _, err := range allErrors(err, attempts) {
						if found := matchesSibling(err); found != "" {
							t.Errorf("%v matches %s of the context's cause", err, found)
						}
					}
				})
			}
		}
	}
}

// cause waits until ctx ends and returns the cause, as net/http does.
func cause(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}
