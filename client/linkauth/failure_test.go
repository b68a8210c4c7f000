package linkauth_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

func response(operation string, status int) error {
	return fmt.Errorf("wrapped: %w", &client.ErrorResponse{Operation: operation, StatusCode: status})
}

func TestFailureOf(t *testing.T) {
	const generate, validate = "generateLinkToken", "validateLinkToken"
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	passed, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	network := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, test := range map[string]struct {
		ctx    context.Context
		err    error
		status int
	}{
		"no error":                        {t.Context(), nil, 401},
		"not valid":                       {t.Context(), linkauth.ErrNotValid, 401},
		"no token":                        {t.Context(), linkauth.ErrNoToken, 401},
		"invalid link token":              {t.Context(), fmt.Errorf("wrapped: %w", client.ErrInvalidLinkToken), 401},
		"400 when validating":             {t.Context(), response(validate, 400), 401},
		"400 in a test":                   {t.Context(), response("", 400), 401},
		"only ErrBadRequest":              {t.Context(), client.ErrBadRequest, 401},
		"invalid argument":                {t.Context(), fmt.Errorf("wrapped: %w", client.ErrInvalidArgument), 500},
		"400 when generating":             {t.Context(), response(generate, 400), 500},
		"400 of another method":           {t.Context(), response("revokeLinkToken", 400), 500},
		"redirect":                        {t.Context(), response(validate, 302), 503},
		"wrong SDK key":                   {t.Context(), response(validate, 401), 503},
		"wrong SDK key when generating":   {t.Context(), response(generate, 401), 503},
		"SDK key not permitted":           {t.Context(), response(validate, 403), 503},
		"wrong base URL":                  {t.Context(), response(validate, 404), 503},
		"rate limit":                      {t.Context(), response(validate, 429), 503},
		"rate limit when generating":      {t.Context(), response(generate, 429), 503},
		"server error":                    {t.Context(), response(validate, 500), 503},
		"malformed response":              {t.Context(), client.ErrMalformedResponse, 503},
		"network":                         {t.Context(), network, 503},
		"canceled elsewhere":              {t.Context(), context.Canceled, 503},
		"deadline elsewhere":              {t.Context(), context.DeadlineExceeded, 503},
		"deadline":                        {passed, context.DeadlineExceeded, 503},
		"canceled":                        {canceled, context.Canceled, 499},
		"canceled after a 503":            {canceled, errors.Join(context.Canceled, response(validate, 503)), 499},
		"canceled, network":               {canceled, network, 499},
		"canceled, not valid":             {canceled, nil, 401},
		"canceled, 400":                   {canceled, response(validate, 400), 401},
		"canceled, 400 when generating":   {canceled, response(generate, 400), 500},
		"canceled, invalid argument":      {canceled, client.ErrInvalidArgument, 500},
		"a 400, then the network":         {t.Context(), errors.Join(network, response(validate, 400)), 401},
		"the network, then a 400":         {t.Context(), errors.Join(response(validate, 400), network), 401},
		"a 503 before a 400":              {t.Context(), errors.Join(response(validate, 503), response(validate, 400)), 401},
		"a 503 before a generating's 400": {t.Context(), errors.Join(response(generate, 503), response(generate, 400)), 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := linkauth.Failure{Status: test.status, Err: test.err}
			if test.err == nil {
				want.Err = linkauth.ErrNotValid
			}
			if test.status == 503 {
				want.RetryAfter = 5 * time.Second
			}
			got := linkauth.FailureOf(test.ctx, test.err)
			if got.Status != want.Status || got.RetryAfter != want.RetryAfter || fmt.Sprint(got.Err) != fmt.Sprint(want.Err) {
				t.Errorf("got %+v, want %+v", got, want)
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

// TestWrite writes failures, some of which FailureOf does not return.
func TestWrite(t *testing.T) {
	for name, test := range map[string]struct {
		failure    linkauth.Failure
		challenge  string
		retryAfter string
	}{
		"no token":           {linkauth.Failure{Status: 401, Err: linkauth.ErrNoToken}, noToken, ""},
		"no token, wrapped":  {linkauth.Failure{Status: 401, Err: fmt.Errorf("%w", linkauth.ErrNoToken)}, noToken, ""},
		"not valid":          {linkauth.Failure{Status: 401, Err: linkauth.ErrNotValid}, invalidToken, ""},
		"without Err":        {linkauth.Failure{Status: 401}, invalidToken, ""},
		"forbidden":          {linkauth.Failure{Status: 403, Err: linkauth.ErrNotValid}, "", ""},
		"caller gone":        {linkauth.Failure{Status: 499, Err: context.Canceled}, "", ""},
		"bug":                {linkauth.Failure{Status: 500, Err: client.ErrInvalidArgument}, "", ""},
		"wait":               {linkauth.Failure{Status: 503, RetryAfter: time.Minute}, "", "60"},
		"longer wait":        {linkauth.Failure{Status: 429, RetryAfter: 10 * time.Minute}, "", "600"},
		"shortest wait":      {linkauth.Failure{Status: 503, RetryAfter: time.Second}, "", "1"},
		"error of Oneloop's": {linkauth.Failure{Status: 503, RetryAfter: time.Second, Err: errors.New(secret)}, "", "1"},
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

// SetHeaders sets nothing but its three headers, and replaces earlier values.
func TestSetHeaders(t *testing.T) {
	got := http.Header{"Cache-Control": {"public"}, "Content-Type": {"application/json"}}
	linkauth.FailureOf(t.Context(), client.ErrServer).SetHeaders(got)
	linkauth.FailureOf(t.Context(), nil).SetHeaders(got)
	want := http.Header{"Cache-Control": {"no-store"}, "Content-Type": {"application/json"}, "Retry-After": {"5"}, "Www-Authenticate": {invalidToken}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]error{
		"linkauth: no link token":        linkauth.ErrNoToken,
		"linkauth: link token not valid": linkauth.ErrNotValid,
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
