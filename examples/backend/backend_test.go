package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// detail represents Oneloop's error message. It may be logged, but callers must not
// see it.
const detail = "oneloop-internal-detail"

// oneloopError is an error response from Oneloop that contains detail.
func oneloopError(status int, header http.Header) clienttest.Fault {
	return clienttest.Response(status, header, `{"error":{"code":42,"message":"`+detail+`"}}`)
}

// A fixture is a backend that uses the fake API and the default retry policy. Its
// tests run in a synctest bubble, where waits take no time.
type fixture struct {
	t       *testing.T
	api     *clienttest.API
	handler http.Handler
	log     bytes.Buffer
}

func newFixture(t *testing.T, sdkKey string) *fixture {
	t.Helper()
	f := &fixture{t: t, api: clienttest.NewAPI()}
	c, err := client.New(sdkKey, client.WithHTTPClient(f.api.HTTPClient()),
		client.WithTimeout(10*time.Second), client.WithObserver(reportAttempt))
	if err != nil {
		t.Fatal(err)
	}
	f.handler = newBackend(c, nil, slog.New(slog.NewTextHandler(&f.log, nil)))
	return f
}

// do sends a request to the backend, and makes the checks that apply to every
// response and to the log.
func (f *fixture) do(r *http.Request) *http.Response {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	var response bytes.Buffer
	_ = w.Result().Header.Write(&response)
	response.Write(w.Body.Bytes())
	for _, leak := range []string{detail, clienttest.SDKKey, "oneloop:", "sdk_wrong", "context ", "(code "} {
		if strings.Contains(response.String(), leak) {
			f.t.Errorf("the response contains %q:\n%s", leak, &response)
		}
	}
	for _, secret := range []string{clienttest.SDKKey, "sdk_wrong", "lt_test_"} {
		if strings.Contains(f.log.String(), secret) {
			f.t.Errorf("the log contains %q:\n%s", secret, &f.log)
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Content-Security-Policy": contentSecurityPolicy} {
		if got := w.Result().Header.Get(name); got != want {
			f.t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	return w.Result()
}

func (f *fixture) signIn() *http.Cookie {
	f.t.Helper()
	return cookie(f.t, f.do(httptest.NewRequest(http.MethodGet, "/", nil)), signInCookie)
}

func (f *fixture) linkTokenRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/link-token", nil)
	r.AddCookie(f.signIn())
	return r
}

func (f *fixture) linkToken() client.LinkToken {
	f.t.Helper()
	var token client.LinkToken
	decode(f.t, f.do(f.linkTokenRequest()), &token)
	return token
}

func sessionRequest(authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/session", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func (f *fixture) validSessionRequest() *http.Request {
	return sessionRequest("Bearer " + f.linkToken().Token)
}

// startSession exchanges a new link token for a session.
func (f *fixture) startSession() *http.Cookie {
	f.t.Helper()
	resp := f.do(f.validSessionRequest())
	if resp.StatusCode != http.StatusNoContent {
		f.t.Fatalf("got status %d", resp.StatusCode)
	}
	return cookie(f.t, resp, sessionCookie)
}

func withCookie(method, path string, c *http.Cookie) *http.Request {
	r := httptest.NewRequest(method, path, nil)
	if c != nil {
		r.AddCookie(c)
	}
	return r
}

// cookie returns the only cookie that a response sets, which must have the given name.
func cookie(t *testing.T, resp *http.Response, name string) *http.Cookie {
	t.Helper()
	cookies := resp.Cookies()
	if len(cookies) != 1 || cookies[0].Name != name {
		t.Fatalf("got cookies %v, want only %s", cookies, name)
	}
	return cookies[0]
}

// decode decodes a response that must be JSON with status 200.
func decode(t *testing.T, resp *http.Response, into any) {
	t.Helper()
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || got != "application/json" {
		t.Fatalf("got status %d and Content-Type %q", resp.StatusCode, got)
	}
	decoder := json.NewDecoder(resp.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// refused checks the status and the text of a response.
func refused(t *testing.T, resp *http.Response, status int, text string) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if got := strings.TrimSpace(string(body)); resp.StatusCode != status || got != text || err != nil {
		t.Errorf("got %d %q (%v), want %d %q", resp.StatusCode, got, err, status, text)
	}
}

func unauthorized(t *testing.T, resp *http.Response) {
	t.Helper()
	refused(t, resp, http.StatusUnauthorized, "Unauthorized")
}

func unavailable(t *testing.T, resp *http.Response) {
	t.Helper()
	refused(t, resp, http.StatusServiceUnavailable, "Service Unavailable")
}

func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// TestSession generates a link token, exchanges it, and ends the session.
func TestSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, clienttest.SDKKey)
		token := f.linkToken()
		if left := time.Until(token.ExpiresAt); left <= 0 || left > 15*time.Minute {
			t.Errorf("the link token expires in %v", left)
		}
		resp := f.do(sessionRequest("bearer  " + token.Token))
		mine := cookie(t, resp, sessionCookie)
		if resp.StatusCode != http.StatusNoContent || mine.MaxAge != int(sessionLifetime.Seconds()) {
			t.Errorf("got status %d and cookie %v", resp.StatusCode, mine)
		}

		f.api.Revoke(token.Token)
		f.api.Advance(sessionLifetime)
		want := session{demoCustomer, demoWorkspace, time.Now().Add(sessionLifetime).UTC()}
		for range 3 {
			var got session
			decode(t, f.do(withCookie(http.MethodGet, "/whoami", mine)), &got)
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		if got := len(f.api.Requests()); got != 2 {
			t.Errorf("Oneloop received %d requests, want 2", got)
		}
		if f.log.Len() > 0 {
			t.Errorf("the log is not empty:\n%s", &f.log)
		}

		end := f.do(withCookie(http.MethodDelete, "/session", mine))
		if gone := cookie(t, end, sessionCookie); end.StatusCode != http.StatusNoContent || gone.MaxAge >= 0 {
			t.Errorf("got status %d and cookie %v", end.StatusCode, gone)
		}
		refused(t, f.do(withCookie(http.MethodGet, "/whoami", mine)), http.StatusUnauthorized, "no session")
	})
}

func TestSessionEnds(t *testing.T) {
	for name, test := range map[string]struct {
		after time.Duration
		by    func(*fixture, *http.Cookie)
		ended bool
	}{
		"before its end":    {sessionLifetime - 1, nil, false},
		"after its end":     {sessionLifetime + 1, nil, true},
		"replaced":          {0, func(f *fixture, c *http.Cookie) { r := f.validSessionRequest(); r.AddCookie(c); f.do(r) }, true},
		"another one ended": {0, func(f *fixture, _ *http.Cookie) { f.do(withCookie(http.MethodDelete, "/session", f.startSession())) }, false},
		"ended without it":  {0, func(f *fixture, _ *http.Cookie) { f.do(withCookie(http.MethodDelete, "/session", nil)) }, false},
	} {
		inBubble(t, name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			mine := f.startSession()
			time.Sleep(test.after)
			if test.by != nil {
				test.by(f, mine)
			}
			resp := f.do(withCookie(http.MethodGet, "/whoami", mine))
			if ended := resp.StatusCode == http.StatusUnauthorized; ended != test.ended {
				t.Errorf("got status %d, want the session to have ended: %t", resp.StatusCode, test.ended)
			}
		})
	}
}

// TestWhoamiWithoutSession sends other values in place of a session.
func TestWhoamiWithoutSession(t *testing.T) {
	f := newFixture(t, clienttest.SDKKey)
	bearer := f.validSessionRequest()
	bearer.Method, bearer.URL.Path = http.MethodGet, "/whoami"
	for name, r := range map[string]*http.Request{
		"nothing":            withCookie(http.MethodGet, "/whoami", nil),
		"a link token":       bearer,
		"the sign-in":        withCookie(http.MethodGet, "/whoami", f.signIn()),
		"an empty session":   withCookie(http.MethodGet, "/whoami", &http.Cookie{Name: sessionCookie}),
		"the sign-in's id":   withCookie(http.MethodGet, "/whoami", &http.Cookie{Name: sessionCookie, Value: f.signIn().Value}),
		"an unknown session": withCookie(http.MethodGet, "/whoami", &http.Cookie{Name: sessionCookie, Value: demoCustomer}),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, f.do(r), http.StatusUnauthorized, "no session")
		})
	}
}

func TestNotSignedIn(t *testing.T) {
	for name, cookie := range map[string]*http.Cookie{
		"no cookie":      nil,
		"another cookie": {Name: "other", Value: "value"},
		"empty":          {Name: signInCookie},
		"forged":         {Name: signInCookie, Value: demoCustomer},
		"another run's":  newFixture(t, clienttest.SDKKey).signIn(),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			refused(t, f.do(withCookie(http.MethodPost, "/link-token", cookie)), http.StatusUnauthorized, "not signed in")
			if len(f.api.Requests()) > 0 {
				t.Error("Oneloop received a request")
			}
		})
	}
}

func TestCrossOrigin(t *testing.T) {
	for name, test := range map[string]struct {
		header, value string
		status        int
	}{
		"same origin, by fetch metadata":  {"Sec-Fetch-Site", "same-origin", http.StatusOK},
		"same origin, by Origin":          {"Origin", "http://example.com", http.StatusOK},
		"cross-site, by fetch metadata":   {"Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		"another subdomain":               {"Sec-Fetch-Site", "same-site", http.StatusForbidden},
		"cross-site, by Origin":           {"Origin", "https://evil.example", http.StatusForbidden},
		"a sandboxed frame's null origin": {"Origin", "null", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			r := f.linkTokenRequest()
			r.Header.Set(test.header, test.value)
			if resp := f.do(r); resp.StatusCode != test.status {
				t.Errorf("got status %d, want %d", resp.StatusCode, test.status)
			}
		})
	}
}

// TestNotAdmitted sends requests without a valid link token. The tests of package
// linkauth cover more cases.
func TestNotAdmitted(t *testing.T) {
	for name, test := range map[string]struct {
		authorization string // with "TOKEN" in place of a generated link token
		before        func(*clienttest.API, client.LinkToken)
		requests      int // that Oneloop receives
	}{
		"no header":     {"", nil, 0},
		"dot segment":   {"Bearer ..", nil, 0},
		"unknown token": {"Bearer no-such-link-token", nil, 1},
		"Oneloop's 400": {"Bearer TOKEN", func(api *clienttest.API, _ client.LinkToken) {
			api.Queue(oneloopError(http.StatusBadRequest, nil))
		}, 1},
		"revoked": {"Bearer TOKEN", func(api *clienttest.API, token client.LinkToken) { api.Revoke(token.Token) }, 1},
		"expired": {"Bearer TOKEN", func(api *clienttest.API, token client.LinkToken) {
			api.Advance(time.Until(token.ExpiresAt))
		}, 1},
	} {
		inBubble(t, name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			token := f.linkToken()
			if test.before != nil {
				test.before(f.api, token)
			}
			resp := f.do(sessionRequest(strings.ReplaceAll(test.authorization, "TOKEN", token.Token)))
			unauthorized(t, resp)
			if got := resp.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="link token"`) {
				t.Errorf("the challenge is %q", got)
			}
			if len(resp.Cookies()) > 0 {
				t.Error("the response sets a cookie")
			}
			if got := len(f.api.Requests()) - 1; got != test.requests {
				t.Errorf("Oneloop received %d requests, want %d", got, test.requests)
			}
			if log := f.log.String(); !strings.Contains(log, "level=INFO") || strings.Contains(log, "level=ERROR") {
				t.Errorf("got log, want level INFO:\n%s", log)
			}
		})
	}
}

func TestSessionNeedsLinkauth(t *testing.T) {
	w := httptest.NewRecorder()
	new(sessions).start(w, sessionRequest("Bearer lt_1"))
	refused(t, w.Result(), http.StatusUnauthorized, "no link token")
}

// TestOneloopFails covers all failures without a decision by Oneloop, for both routes.
func TestOneloopFails(t *testing.T) {
	times := func(n int, fault clienttest.Fault) (faults []clienttest.Fault) {
		for range n {
			faults = append(faults, fault)
		}
		return faults
	}
	const ambiguous = 2 // attempts of a POST that Oneloop may have processed
	for name, test := range map[string]struct {
		faults      []clienttest.Fault
		retryAfter  string
		gets, posts int    // attempts; 0: not a case for this operation
		logged      string // part of the log
	}{
		"500": {faults: times(3, oneloopError(500, nil)), retryAfter: "5", gets: 3, posts: ambiguous, logged: "500 Internal Server Error"},
		"503": {faults: times(3, oneloopError(503, nil)), retryAfter: "5", gets: 3, posts: 3, logged: detail},
		"429": {faults: times(3, oneloopError(429, nil)), retryAfter: "5", gets: 3, posts: 3, logged: detail},
		"429 with Retry-After": {
			faults: times(3, clienttest.StatusRetryAfter(429, 2*time.Second)), retryAfter: "2", gets: 3, posts: 3, logged: "429",
		},
		"503 with a long Retry-After": {
			faults: times(3, clienttest.StatusRetryAfter(503, time.Hour)), retryAfter: "60", gets: 1, posts: 1, logged: "503",
		},
		"503 with a Retry-After of 0": {
			faults: times(3, clienttest.StatusRetryAfter(503, 0)), retryAfter: "5", gets: 3, posts: 3, logged: "503",
		},
		"503 with a Retry-After beyond time.Duration": {
			faults:     times(3, oneloopError(503, http.Header{"Retry-After": {"9223372036854775807"}})),
			retryAfter: "60", gets: 1, posts: 1, logged: detail,
		},
		"unknown SDK key":       {faults: times(1, oneloopError(401, nil)), retryAfter: "5", gets: 1, posts: 1, logged: detail},
		"SDK key not permitted": {faults: times(1, oneloopError(403, nil)), retryAfter: "5", gets: 1, posts: 1, logged: detail},
		"unexpected status":     {faults: times(1, oneloopError(418, nil)), retryAfter: "5", gets: 1, posts: 1, logged: detail},
		"unknown operation":     {faults: times(1, oneloopError(404, nil)), retryAfter: "5", gets: 1, posts: 1, logged: detail},
		"redirect": {
			faults:     times(1, oneloopError(302, http.Header{"Location": {"https://evil.example/"}})),
			retryAfter: "5", gets: 1, posts: 1, logged: "302 Found",
		},
		"connection cut": {faults: times(3, clienttest.Cut()), retryAfter: "5", gets: 3, posts: ambiguous, logged: "connection reset"},
		"silence":        {faults: times(3, clienttest.Silence()), retryAfter: "5", gets: 2, posts: ambiguous, logged: "deadline exceeded"},
		"429, then silence until the call's timeout": {
			faults:     append(times(1, clienttest.StatusRetryAfter(429, 3*time.Second)), clienttest.Silence()),
			retryAfter: "3", gets: 2, posts: 2, logged: "429",
		},
		"not JSON": {
			faults:     times(1, clienttest.Response(200, http.Header{"Content-Type": {"text/html"}}, "<p>"+detail)),
			retryAfter: "5", gets: 1, posts: 1, logged: "malformed response",
		},
		"null": {faults: times(1, clienttest.Response(200, nil, "null")), retryAfter: "5", gets: 1, posts: 1, logged: "malformed response"},
		"valid without an owner": {
			faults: times(1, clienttest.Response(200, nil,
				`{"valid":true,"expiresAt":4102444800,"workspaceId":"","customerId":""}`)),
			retryAfter: "5", gets: 1, logged: "malformed response",
		},
		"no valid field": {
			faults: times(1, clienttest.Response(200, nil,
				`{"expiresAt":4102444800,"workspaceId":"w","customerId":"c"}`)),
			retryAfter: "5", gets: 1, logged: "valid is missing",
		},
	} {
		check := func(t *testing.T, request func(*fixture) *http.Request, attempts int) {
			t.Helper()
			f := newFixture(t, clienttest.SDKKey)
			r := request(f)
			before := len(f.api.Requests())
			f.api.Queue(test.faults...)
			resp := f.do(r)
			unavailable(t, resp)
			if got := resp.Header.Get("Retry-After"); got != test.retryAfter {
				t.Errorf("Retry-After is %q, want %q", got, test.retryAfter)
			}
			if got := len(f.api.Requests()) - before; got != attempts {
				t.Errorf("Oneloop received %d requests, want %d", got, attempts)
			}
			if !strings.Contains(f.log.String(), "level=ERROR") || !strings.Contains(f.log.String(), test.logged) {
				t.Errorf("the log lacks an error with %q:\n%s", test.logged, &f.log)
			}
		}
		if test.gets > 0 {
			inBubble(t, name+"/validate", func(t *testing.T) {
				check(t, (*fixture).validSessionRequest, test.gets)
			})
		}
		if test.posts > 0 {
			inBubble(t, name+"/generate", func(t *testing.T) {
				check(t, (*fixture).linkTokenRequest, test.posts)
			})
		}
	}
}

// TestRefusedRequest has Oneloop refuse a request for which the backend, and not its
// caller, is responsible.
func TestRefusedRequest(t *testing.T) {
	f := newFixture(t, clienttest.SDKKey)
	r := f.linkTokenRequest()
	f.api.Queue(oneloopError(http.StatusBadRequest, nil))
	resp := f.do(r)
	refused(t, resp, http.StatusInternalServerError, "Internal Server Error")
	if got := resp.Header.Get("WWW-Authenticate"); got != "" {
		t.Errorf("the challenge is %q", got)
	}
	if !strings.Contains(f.log.String(), "level=ERROR") || !strings.Contains(f.log.String(), detail) {
		t.Errorf("logged:\n%s", &f.log)
	}
}

func TestWrongSDKKey(t *testing.T) {
	f := newFixture(t, "sdk_wrong")
	unavailable(t, f.do(f.linkTokenRequest()))
	unavailable(t, f.do(sessionRequest("Bearer some-link-token")))
}

// stub is a linkTokens that always returns the same values.
type stub struct {
	validation client.LinkTokenValidation
	err        error
}

func (s stub) GenerateLinkToken(context.Context, client.GenerateLinkTokenRequest) (*client.LinkToken, error) {
	return &client.LinkToken{Token: "lt_stub"}, s.err
}

func (s stub) ValidateLinkToken(context.Context, string) (*client.LinkTokenValidation, error) {
	return &s.validation, s.err
}

// TestFailsClosed returns an error together with a valid result.
func TestFailsClosed(t *testing.T) {
	for name, err := range map[string]error{
		"unknown":         errors.New(detail),
		"context ended":   context.Canceled, // the context of the request has not ended
		"unknown, joined": errors.Join(errors.New(detail), client.ErrMalformedResponse),
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t}
			valid := client.LinkTokenValidation{Valid: true, WorkspaceID: "w", CustomerID: "c"}
			f.handler = newBackend(stub{valid, err}, nil, slog.New(slog.NewTextHandler(&f.log, nil)))
			unavailable(t, f.do(sessionRequest("Bearer some-link-token")))
			unavailable(t, f.do(f.linkTokenRequest()))
		})
	}
}

func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, clienttest.SDKKey)
		f.api.Queue(clienttest.Status(503), clienttest.Cut())
		token := f.linkToken()
		f.api.Queue(clienttest.Cut(), clienttest.StatusRetryAfter(429, time.Second))
		cookie(t, f.do(sessionRequest("Bearer "+token.Token)), sessionCookie)
	})
}

// TestServerTiming checks the headers that report requests to Oneloop to the page.
func TestServerTiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, clienttest.SDKKey)
		r := f.linkTokenRequest()
		f.api.Queue(clienttest.StatusRetryAfter(503, time.Second), clienttest.Delay(20*time.Millisecond))
		want := []string{`attempt;desc="generateLinkToken 503";dur=0.0`, "wait;dur=1000", `attempt;desc="generateLinkToken 200";dur=20.0`}
		if got := f.do(r).Header.Values("Server-Timing"); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		f.api.Queue(clienttest.Cut(), clienttest.StatusRetryAfter(429, time.Hour))
		got := f.do(sessionRequest("Bearer lt_1")).Header.Values("Server-Timing")
		if len(got) != 3 || got[0] != `attempt;desc="validateLinkToken 0";dur=0.0` || got[2] != `attempt;desc="validateLinkToken 429";dur=0.0` {
			t.Errorf("got %q", got)
		}
	})
}

// TestClientDisconnects cancels the request's context during the call to Oneloop.
func TestClientDisconnects(t *testing.T) {
	for name, request := range map[string]func(*fixture) *http.Request{
		"generate": (*fixture).linkTokenRequest,
		"validate": (*fixture).validSessionRequest,
	} {
		for name, faults := range map[string][]clienttest.Fault{
			name + " before a response": {clienttest.Silence()},
			name + " before a retry":    {clienttest.StatusRetryAfter(503, 5*time.Second)},
			name + " after a response":  {clienttest.Status(503), clienttest.Silence()},
		} {
			inBubble(t, name, func(t *testing.T) {
				f := newFixture(t, clienttest.SDKKey)
				r := request(f)
				f.api.Queue(faults...)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				w := httptest.NewRecorder()
				f.handler.ServeHTTP(w, r.WithContext(ctx))
				if w.Code != 499 {
					t.Errorf("got %d %q, want 499", w.Code, w.Body)
				}
				if strings.Contains(f.log.String(), "level=ERROR") || !strings.Contains(f.log.String(), "status=499") {
					t.Errorf("logged:\n%s", &f.log)
				}
			})
		}
	}
}

// TestRequestTimeout ends the request's context by its deadline. The client is then
// still waiting for a response.
func TestRequestTimeout(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"before the call": 0, "within the call": time.Second} {
		inBubble(t, name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			r := f.linkTokenRequest()
			f.api.Queue(clienttest.Silence())
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			unavailable(t, f.do(r.WithContext(ctx)))
		})
	}
}
