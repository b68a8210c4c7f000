package linkauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

func TestDecision(t *testing.T) {
	notValid := ada
	notValid.Valid = false
	for name, test := range map[string]struct {
		validator  linkauth.Validator
		status     int
		challenge  string
		retryAfter string
	}{
		"not valid":                  {always(&notValid, nil), 401, invalidToken, ""},
		"zero validation":            {always(new(client.LinkTokenValidation), nil), 401, invalidToken, ""},
		"no validation and no error": {always(nil, nil), 401, invalidToken, ""},
		"no validation":              {always(nil, errors.New(secret)), 503, "", "5"},
		"error":                      {failing(errors.New(secret)), 503, "", "5"},
		"ErrNoToken":                 {failing(linkauth.ErrNoToken), 401, noToken, ""},
		"bad request":                {failing(&client.ErrorResponse{StatusCode: 400, Message: secret}), 401, invalidToken, ""},
		"invalid argument":           {failing(fmt.Errorf("%s: %w", secret, client.ErrInvalidArgument)), 500, "", ""},
		"rate limit":                 {failing(&client.ErrorResponse{StatusCode: 429, Message: secret, RetryAfter: 7 * time.Second}), 503, "", "7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serve(linkauth.New(test.validator), request("Bearer lt_1"))
			wantFailure(t, w, test.status, test.challenge, test.retryAfter)
		})
	}
}

// TestRequestContext ends the request's context during validation. If it is
// canceled, the caller has disconnected. If its deadline passes, the caller is still
// waiting for a response.
func TestRequestContext(t *testing.T) {
	deadline := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Second)
	}
	canceled := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		return ctx, cancel
	}
	silent := validatorFunc(func(ctx context.Context, _ string) (*client.LinkTokenValidation, error) {
		<-ctx.Done()
		return nil, fmt.Errorf("%s: %w", secret, ctx.Err())
	})
	late := func(v *client.LinkTokenValidation, err error) linkauth.Validator {
		return validatorFunc(func(ctx context.Context, _ string) (*client.LinkTokenValidation, error) {
			<-ctx.Done()
			return v, err
		})
	}
	for name, test := range map[string]struct {
		end        func(context.Context) (context.Context, context.CancelFunc)
		validator  linkauth.Validator
		status     int
		challenge  string
		retryAfter string
	}{
		"canceled":                    {canceled, silent, 499, "", ""},
		"canceled, another error":     {canceled, late(nil, &client.ErrorResponse{StatusCode: 503}), 499, "", ""},
		"canceled, but not valid":     {canceled, late(new(client.LinkTokenValidation), nil), 401, invalidToken, ""},
		"deadline":                    {deadline, silent, 503, "", "5"},
		"deadline, after Retry-After": {deadline, late(nil, &client.ErrorResponse{StatusCode: 429, RetryAfter: 2 * time.Second}), 503, "", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := test.end(t.Context())
				defer cancel()
				w := serve(linkauth.New(test.validator), request("Bearer lt_1").WithContext(ctx))
				wantFailure(t, w, test.status, test.challenge, test.retryAfter)
			})
		})
	}
}

// TestWithClient uses a real Client with the fake API.
func TestWithClient(t *testing.T) {
	for name, test := range map[string]struct {
		sent   string // the token; "" for one that the API made
		before func(*clienttest.API, string)
		status int
	}{
		"valid":        {"", func(*clienttest.API, string) {}, 200},
		"unknown":      {"lt_unknown", func(*clienttest.API, string) {}, 401},
		"dot segments": {"..", func(*clienttest.API, string) {}, 401},
		"path":         {"../link-token", func(*clienttest.API, string) {}, 401},
		"revoked":      {"", func(api *clienttest.API, token string) { api.Revoke(token) }, 401},
		"expired":      {"", func(api *clienttest.API, _ string) { api.Advance(time.Hour) }, 401},
		"rotated key":  {"", func(api *clienttest.API, _ string) { api.SetSDKKey("sdk_other") }, 503},
		"outage": {"", func(api *clienttest.API, _ string) {
			api.Queue(clienttest.Status(500), clienttest.Cut(), clienttest.Silence())
		}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := clienttest.NewAPI()
				token := api.Issue("ada", "engines")
				test.before(api, token)
				if test.sent != "" {
					token = test.sent
				}
				w := serve(linkauth.New(newClient(api)), request("Bearer "+token))
				if w.Code != test.status || (w.Body.String() == "welcome ada true") != (test.status == 200) {
					t.Errorf("got %d %q, want %d", w.Code, w.Body, test.status)
				}
			})
		})
	}
}

func TestContext(t *testing.T) {
	if v, ok := linkauth.FromContext(t.Context()); ok || v != (client.LinkTokenValidation{}) {
		t.Errorf("got %+v, %t from an empty context", v, ok)
	}
	if v, ok := linkauth.FromContext(linkauth.NewContext(t.Context(), ada)); !ok || v != ada {
		t.Errorf("got %+v, %t, want %+v", v, ok, ada)
	}
	// The request keeps a copy, so the validator may change its result later.
	mine := ada
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mine.CustomerID = "mallory"
		if v, ok := linkauth.FromContext(r.Context()); !ok || v != ada {
			t.Errorf("got %+v, %t, want %+v", v, ok, ada)
		}
	})
	linkauth.New(always(&mine, nil)).Wrap(next).ServeHTTP(httptest.NewRecorder(), request("Bearer lt_1"))
	if mine.CustomerID != "mallory" {
		t.Error("next was not called")
	}
}

func TestPanics(t *testing.T) {
	valid := always(&ada, nil)
	const invalid, nilPointer = "linkauth: New: the Validator or the function of an Option is nil", "nil pointer"
	for name, test := range map[string]struct {
		misuse func()
		want   string
	}{
		"nil validator":        {func() { linkauth.New(nil) }, invalid},
		"nil option":           {func() { linkauth.New(valid, nil) }, nilPointer},
		"nil token function":   {func() { linkauth.New(valid, linkauth.WithToken(nil)) }, invalid},
		"nil failure function": {func() { linkauth.New(valid, linkauth.WithFailure(nil)) }, invalid},
		"nil handler":          {func() { linkauth.New(valid).Wrap(nil).ServeHTTP(httptest.NewRecorder(), request("Bearer lt_1")) }, nilPointer},
		"zero Middleware":      {func() { new(linkauth.Middleware).Wrap(welcome).ServeHTTP(httptest.NewRecorder(), request()) }, nilPointer},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, test.want) {
					t.Errorf("got panic %s, want %s", got, test.want)
				}
			}()
			test.misuse()
		})
	}
}
