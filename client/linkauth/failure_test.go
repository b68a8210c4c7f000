package linkauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

func TestFailureOf(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	passed, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	unauthorized := &client.ErrorResponse{StatusCode: 401, RetryAfter: time.Hour}
	for name, test := range map[string]struct {
		ctx  context.Context
		err  error
		want linkauth.Failure
	}{
		"no token":         {t.Context(), linkauth.ErrNoToken, linkauth.Failure{Status: 401, Err: linkauth.ErrNoToken}},
		"not valid":        {t.Context(), linkauth.ErrNotValid, linkauth.Failure{Status: 401, Err: linkauth.ErrNotValid}},
		"invalid argument": {t.Context(), client.ErrInvalidArgument, linkauth.Failure{Status: 401, Err: client.ErrInvalidArgument}},
		"canceled":         {ended, context.Canceled, linkauth.Failure{Status: 499, Err: context.Canceled}},
		"deadline":         {passed, context.DeadlineExceeded, linkauth.Failure{Status: 503, RetryAfter: 5 * time.Second, Err: context.DeadlineExceeded}},
		"wrong SDK key":    {t.Context(), unauthorized, linkauth.Failure{Status: 503, RetryAfter: time.Minute, Err: unauthorized}},
		"no error":         {t.Context(), nil, linkauth.Failure{Status: 503, RetryAfter: 5 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := linkauth.FailureOf(test.ctx, test.err); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for name, test := range map[string]struct {
		retryAfter time.Duration // from Oneloop
		want       string        // the header
	}{
		"negative":            {-time.Second, "5"},
		"none":                {0, "5"},
		"the shortest":        {1, "1"},
		"half a second":       {500 * time.Millisecond, "1"},
		"a second":            {time.Second, "1"},
		"a second and 1 ns":   {time.Second + 1, "2"},
		"a second and a half": {1500 * time.Millisecond, "2"},
		"almost a minute":     {time.Minute - 1, "60"},
		"a minute":            {time.Minute, "60"},
		"more than a minute":  {time.Minute + 1, "60"},
		"an hour":             {time.Hour, "60"},
		"the longest":         {1<<63 - 1, "60"},
		"almost the shortest": {-1 << 63, "5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := fmt.Errorf("wrapped: %w", &client.ErrorResponse{StatusCode: 503, RetryAfter: test.retryAfter})
			w := serve(linkauth.New(failing(err)), request("Bearer lt_1"))
			wantFailure(t, w, http.StatusServiceUnavailable, "", test.want)
		})
	}
}

// TestFailureWrite writes failures that a program has modified or constructed.
func TestFailureWrite(t *testing.T) {
	for name, test := range map[string]struct {
		failure    linkauth.Failure
		challenge  string
		retryAfter string
	}{
		"a bug when generating": {linkauth.Failure{Status: 500, Err: client.ErrBadRequest}, "", ""},
		"forbidden":             {linkauth.Failure{Status: 403, Err: linkauth.ErrNotValid}, "", ""},
		"refused":               {linkauth.Failure{Status: 401, Err: linkauth.ErrNotValid}, invalidToken, ""},
		"refused, no reason":    {linkauth.Failure{Status: 401}, invalidToken, ""},
		"long wait":             {linkauth.Failure{Status: 429, RetryAfter: 10 * time.Minute}, "", "600"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			test.failure.Write(w)
			wantFailure(t, w, test.failure.Status, test.challenge, test.retryAfter)
			if got := w.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("got Content-Type %q", got)
			}
		})
	}
}
