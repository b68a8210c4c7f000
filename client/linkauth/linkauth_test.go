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
	"github.com/oneloop-ai/oneloop-go/internal/readme"
)

const (
	noToken      = `Bearer realm="link token"`
	invalidToken = `Bearer realm="link token", error="invalid_token"`

	// secret represents text from Oneloop, which callers must not see.
	secret = "oneloop-internal-detail"
)

var ada = client.LinkTokenValidation{
	Valid:             true,
	ExpiresAt:         time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	WorkspaceID:       "engines",
	CustomerID:        "ada",
	ExternalBillingID: "billing_1",
}

// A validatorFunc is a function that implements Validator.
type validatorFunc func(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error)

func (f validatorFunc) ValidateLinkToken(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error) {
	return f(ctx, linkToken)
}

func always(v *client.LinkTokenValidation, err error) linkauth.Validator {
	return validatorFunc(func(context.Context, string) (*client.LinkTokenValidation, error) { return v, err })
}

func failing(err error) linkauth.Validator { return always(&ada, err) }

func request(headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/session", nil)
	for _, h := range headers {
		r.Header.Add("Authorization", h)
	}
	return r
}

// welcome responds with the customer from the context.
var welcome = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	v, ok := linkauth.FromContext(r.Context())
	fmt.Fprint(w, "welcome ", v.CustomerID, " ", ok)
})

func serve(m *linkauth.Middleware, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	m.Wrap(welcome).ServeHTTP(w, r)
	return w
}

// wantFailure checks the response to a request that was not admitted.
func wantFailure(t *testing.T, w *httptest.ResponseRecorder, status int, challenge, retryAfter string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("got status %d, want %d", w.Code, status)
	}
	for name, want := range map[string]string{
		"Www-Authenticate": challenge,
		"Retry-After":      retryAfter,
		"Cache-Control":    "no-store",
	} {
		if got := strings.Join(w.Header().Values(name), " and "); got != want {
			t.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	if got, want := w.Body.String(), http.StatusText(status)+"\n"; got != want {
		t.Errorf("got body %q, want %q", got, want)
	}
	if all := fmt.Sprint(w.Header(), w.Body); strings.Contains(all, secret) || strings.Contains(all, "lt_") {
		t.Errorf("the response contains a secret: %s", all)
	}
}

func TestTokenFromHeader(t *testing.T) {
	for name, test := range map[string]struct {
		headers []string
		want    string // the token that the validator receives; "" if it must not be called
	}{
		"bearer":                {[]string{"Bearer lt_1"}, "lt_1"},
		"lower case":            {[]string{"bearer lt_1"}, "lt_1"},
		"upper case":            {[]string{"BEARER lt_1"}, "lt_1"},
		"extra space":           {[]string{"Bearer \t lt_1 \t"}, "lt_1"},
		"two words":             {[]string{"Bearer lt_1 lt_2"}, "lt_1 lt_2"}, // the client refuses it
		"no header":             {nil, ""},
		"empty header":          {[]string{""}, ""},
		"another scheme":        {[]string{"Basic lt_1"}, ""},
		"longer scheme":         {[]string{"Bearers lt_1"}, ""},
		"no scheme":             {[]string{"lt_1"}, ""},
		"only the scheme":       {[]string{"Bearer"}, ""},
		"only white space":      {[]string{"Bearer  \t "}, ""},
		"tab after the scheme":  {[]string{"Bearer\tlt_1"}, ""},
		"two headers":           {[]string{"Bearer lt_1", "Bearer lt_2"}, ""},
		"two headers, the same": {[]string{"Bearer lt_1", "Bearer lt_1"}, ""},
		"two headers, one not bearer": {[]string{
			"Basic dXNlcjpwYXNz", "Bearer lt_1",
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			m := linkauth.New(validatorFunc(func(_ context.Context, linkToken string) (*client.LinkTokenValidation, error) {
				got = linkToken
				return &ada, nil
			}))
			w := serve(m, request(test.headers...))
			if got != test.want {
				t.Errorf("the validator received %q, want %q", got, test.want)
			}
			if test.want == "" {
				wantFailure(t, w, http.StatusUnauthorized, noToken, "")
			} else if w.Code != http.StatusOK || w.Body.String() != "welcome ada true" {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
		})
	}
}

func TestDecision(t *testing.T) {
	notValid := ada
	notValid.Valid = false
	badRequest := &client.ErrorResponse{StatusCode: http.StatusBadRequest, Message: secret, RetryAfter: time.Second}
	for name, test := range map[string]struct {
		validator  linkauth.Validator
		status     int
		challenge  string
		retryAfter string
	}{
		"not valid":                  {always(&notValid, nil), 401, invalidToken, ""},
		"zero validation":            {always(&client.LinkTokenValidation{}, nil), 401, invalidToken, ""},
		"invalid argument":           {failing(fmt.Errorf("%s: %w", secret, client.ErrInvalidArgument)), 401, invalidToken, ""},
		"bad request":                {failing(badRequest), 401, invalidToken, ""},
		"bad request, wrapped":       {failing(fmt.Errorf("%s: %w", secret, badRequest)), 401, invalidToken, ""},
		"no validation and no error": {always(nil, nil), 503, "", "5"},
		"no validation":              {always(nil, errors.New(secret)), 503, "", "5"},
		"any error":                  {failing(errors.New(secret)), 503, "", "5"},
		"malformed response":         {failing(client.ErrMalformedResponse), 503, "", "5"},
		"wrong SDK key":              {failing(&client.ErrorResponse{StatusCode: 401, Message: secret}), 503, "", "5"},
		"SDK key not permitted":      {failing(&client.ErrorResponse{StatusCode: 403, Message: secret}), 503, "", "5"},
		"wrong base URL":             {failing(&client.ErrorResponse{StatusCode: 404, Message: secret}), 503, "", "5"},
		"redirect":                   {failing(&client.ErrorResponse{StatusCode: 302, Message: secret}), 503, "", "5"},
		"server error":               {failing(&client.ErrorResponse{StatusCode: 500, Message: secret}), 503, "", "5"},
		"rate limit":                 {failing(&client.ErrorResponse{StatusCode: 429, RetryAfter: 7 * time.Second}), 503, "", "7"},
		"canceled elsewhere":         {failing(context.Canceled), 503, "", "5"},
		"deadline elsewhere":         {failing(context.DeadlineExceeded), 503, "", "5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serve(linkauth.New(test.validator), request("Bearer lt_1"))
			wantFailure(t, w, test.status, test.challenge, test.retryAfter)
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

func TestStatusesMatchREADME(t *testing.T) {
	readme.CheckStatuses(t, "validating", func(ctx context.Context, err error) int {
		return serve(linkauth.New(failing(err)), request("Bearer lt_1").WithContext(ctx)).Code
	})
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
		"canceled, but not valid":     {canceled, late(&client.LinkTokenValidation{}, nil), 401, invalidToken, ""},
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
		before func(*clienttest.API, *client.LinkToken)
		key    string
		status int
	}{
		"valid":        {func(*clienttest.API, *client.LinkToken) {}, "", 200},
		"unknown":      {func(_ *clienttest.API, lt *client.LinkToken) { lt.Token = "lt_unknown" }, "", 401},
		"dot segments": {func(_ *clienttest.API, lt *client.LinkToken) { lt.Token = ".." }, "", 401},
		"path":         {func(_ *clienttest.API, lt *client.LinkToken) { lt.Token = "../link-token" }, "", 401},
		"revoked":      {func(api *clienttest.API, lt *client.LinkToken) { api.Revoke(lt.Token) }, "", 401},
		"expired":      {func(api *clienttest.API, _ *client.LinkToken) { api.Advance(time.Hour) }, "", 401},
		"wrong key":    {func(*clienttest.API, *client.LinkToken) {}, "sdk_wrong", 503},
		"outage": {func(api *clienttest.API, _ *client.LinkToken) {
			api.Queue(clienttest.Status(500), clienttest.Cut(), clienttest.Silence())
		}, "", 503},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := clienttest.NewAPI()
				newClient := func(key string) *client.Client {
					c, err := client.New(key, client.WithHTTPClient(api.HTTPClient()))
					if err != nil {
						t.Fatal(err)
					}
					return c
				}
				c := newClient(clienttest.SDKKey)
				token, err := c.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "ada", WorkspaceID: "engines"})
				if err != nil {
					t.Fatal(err)
				}
				test.before(api, token)
				if test.key != "" {
					c = newClient(test.key)
				}
				w := serve(linkauth.New(c), request("Bearer "+token.Token))
				if w.Code != test.status || (w.Body.String() == "welcome ada true") != (test.status == 200) {
					t.Errorf("got %d %q, want %d", w.Code, w.Body, test.status)
				}
			})
		})
	}
}

func TestWithToken(t *testing.T) {
	m := linkauth.New(always(&ada, nil), linkauth.WithToken(func(r *http.Request) string { return r.Header.Get("X-Link-Token") }))
	wantFailure(t, serve(m, request("Bearer lt_1")), http.StatusUnauthorized, noToken, "")
	r := request()
	r.Header.Set("X-Link-Token", " \t ")
	wantFailure(t, serve(m, r), http.StatusUnauthorized, noToken, "")
	r.Header.Set("X-Link-Token", " lt_1 ")
	if w := serve(m, r); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
}

func TestWithFailure(t *testing.T) {
	refused := &client.ErrorResponse{StatusCode: 503, RetryAfter: 1500 * time.Millisecond}
	for name, test := range map[string]struct {
		authorization string
		write         func(http.ResponseWriter)
		want          linkauth.Failure
		code          int
		body          string
		header, value string // one that the response must have
	}{
		"writes nothing": {
			"Bearer lt_1", func(http.ResponseWriter) {},
			linkauth.Failure{Status: 503, RetryAfter: 2 * time.Second, Err: refused}, 503, "Service Unavailable\n", "Retry-After", "2",
		},
		"writes a header": {
			"Bearer lt_1", func(w http.ResponseWriter) { w.WriteHeader(418) },
			linkauth.Failure{Status: 503, RetryAfter: 2 * time.Second, Err: refused}, 418, "", "Retry-After", "2",
		},
		"writes a body": {
			"Bearer lt_1", func(w http.ResponseWriter) { fmt.Fprint(w, "later") },
			linkauth.Failure{Status: 503, RetryAfter: 2 * time.Second, Err: refused}, 200, "later", "Cache-Control", "no-store",
		},
		"no token": {
			"", func(w http.ResponseWriter) { http.Error(w, "who are you?", http.StatusUnauthorized) },
			linkauth.Failure{Status: 401, Err: linkauth.ErrNoToken}, 401, "who are you?\n", "WWW-Authenticate", noToken,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []linkauth.Failure
			m := linkauth.New(failing(refused), linkauth.WithFailure(func(w http.ResponseWriter, r *http.Request, f linkauth.Failure) {
				if r.URL.Path != "/session" {
					t.Errorf("the function received the request for %s", r.URL)
				}
				got = append(got, f)
				test.write(w)
			}))
			w := serve(m, request(test.authorization))
			if len(got) != 1 || got[0] != test.want {
				t.Errorf("the function received %+v, want %+v", got, test.want)
			}
			if w.Code != test.code || w.Body.String() != test.body || w.Header().Get(test.header) != test.value {
				t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
			}
		})
	}
}

func TestLaterOptionWins(t *testing.T) {
	none := linkauth.WithToken(func(*http.Request) string { return "" })
	some := linkauth.WithToken(func(*http.Request) string { return "lt_1" })
	if w := serve(linkauth.New(always(&ada, nil), none, some), request()); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
}

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
	var noClient *client.Client
	for name, wire := range map[string]func(){
		"nil validator":        func() { linkauth.New(nil) },
		"nil client":           func() { linkauth.New(noClient) },
		"nil option":           func() { linkauth.New(valid, nil) },
		"nil token function":   func() { linkauth.New(valid, linkauth.WithToken(nil)) },
		"nil failure function": func() { linkauth.New(valid, linkauth.WithFailure(nil)) },
		"nil handler":          func() { linkauth.New(valid).Wrap(nil) },
		"zero Middleware":      func() { new(linkauth.Middleware).Wrap(welcome).ServeHTTP(httptest.NewRecorder(), request()) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			wire()
		})
	}
}

// oneToken is a fake of Oneloop that knows a single link token.
type oneToken struct{}

func (oneToken) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.EscapedPath() == "/api/v1/link-token/lt_good" {
		fmt.Fprint(w, `{"valid":true,"expiresAt":4102444800,"workspaceId":"engines","customerId":"ada"}`)
	} else {
		w.WriteHeader(http.StatusBadRequest)
	}
	return w.Result(), nil
}

// FuzzAuthorization uses a real Client and arbitrary Authorization headers. Only the
// one link token may be admitted. All other headers must result in a 401.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{
		"Bearer lt_good", "bearer   lt_good\t", "Bearer lt_goo", "Bearer", "", "Basic lt_good", "Bearer ../lt_good",
		"Bearer lt_good?", "Bearer lt%5fgood", "Bearer \xff", "Bearer\u00a0lt_good", "Bearer lt_good,Bearer lt_good", "Bearer \u2028lt_good",
	} {
		f.Add(seed)
	}
	c, err := client.New("sdk_1", client.WithHTTPClient(&http.Client{Transport: oneToken{}}))
	if err != nil {
		f.Fatal(err)
	}
	m := linkauth.New(c)
	f.Fuzz(func(t *testing.T, header string) {
		w := serve(m, request(header))
		good := len(header) > len("Bearer ") && strings.EqualFold(header[:7], "Bearer ") && strings.TrimSpace(header[7:]) == "lt_good"
		if good {
			if w.Code != http.StatusOK {
				t.Errorf("%q: got status %d, want 200", header, w.Code)
			}
			return
		}
		challenge := invalidToken
		if len(header) < 7 || !strings.EqualFold(header[:7], "Bearer ") || strings.TrimSpace(header[7:]) == "" {
			challenge = noToken
		}
		wantFailure(t, w, http.StatusUnauthorized, challenge, "")
	})
}
