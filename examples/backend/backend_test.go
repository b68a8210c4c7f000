package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// detail stands for what Oneloop says in an error, which stays in the log.
const detail = "oneloop-internal-detail"

// oneloopSays is an error of Oneloop's with detail in it.
func oneloopSays(status int, header http.Header) clienttest.Fault {
	return clienttest.Answer(status, header, `{"error":{"code":42,"message":"`+detail+`"}}`)
}

// fixture is a backend over the API in memory, with retries as users have them:
// tests run in a synctest bubble, where waits take no time.
type fixture struct {
	t       *testing.T
	api     *clienttest.API
	handler http.Handler
	log     bytes.Buffer
}

func newFixture(t *testing.T, sdkKey string, opts ...clienttest.Option) *fixture {
	t.Helper()
	f := &fixture{t: t, api: clienttest.NewAPI(opts...)}
	c, err := client.New(sdkKey, client.WithHTTPClient(f.api.HTTPClient()), client.WithTimeout(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	f.handler = newBackend(c, slog.New(slog.NewTextHandler(&f.log, nil)))
	return f
}

// do has the request answered, and checks what holds for every answer and log.
func (f *fixture) do(r *http.Request) *http.Response {
	f.t.Helper()
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	var answer bytes.Buffer
	_ = w.Result().Header.Write(&answer)
	answer.Write(w.Body.Bytes())
	for _, leak := range []string{detail, clienttest.SDKKey, "oneloop:", "sdk_wrong", "context ", "(code "} {
		if strings.Contains(answer.String(), leak) {
			f.t.Errorf("the answer holds %q:\n%s", leak, &answer)
		}
	}
	for _, secret := range []string{clienttest.SDKKey, "sdk_wrong", "lt_test_"} {
		if strings.Contains(f.log.String(), secret) {
			f.t.Errorf("the log holds %q:\n%s", secret, &f.log)
		}
	}
	return w.Result()
}

func (f *fixture) signIn() *http.Cookie {
	f.t.Helper()
	cookies := f.do(httptest.NewRequest(http.MethodGet, "/", nil)).Cookies()
	if len(cookies) != 1 {
		f.t.Fatalf("the page set %d cookies, want 1", len(cookies))
	}
	return cookies[0]
}

func (f *fixture) linkTokenRequest() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/link-token", nil)
	r.AddCookie(f.signIn())
	return r
}

func (f *fixture) linkToken() client.LinkToken {
	f.t.Helper()
	var token client.LinkToken
	decode(f.t, f.do(f.linkTokenRequest()), http.StatusOK, &token)
	return token
}

func whoamiRequest(authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/whoami", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

// decode reads an answer that must have this status, and be JSON that no cache keeps.
func decode(t *testing.T, resp *http.Response, status int, into any) {
	t.Helper()
	if resp.StatusCode != status {
		t.Fatalf("got status %d, want %d", resp.StatusCode, status)
	}
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	decoder := json.NewDecoder(resp.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// refused checks an answer that is an error.
func refused(t *testing.T, resp *http.Response, status int, text string) {
	t.Helper()
	var body struct {
		Error string `json:"error"`
	}
	decode(t, resp, status, &body)
	if body.Error != text {
		t.Errorf("got the text %q, want %q", body.Error, text)
	}
}

func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func TestLinkTokenFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, clienttest.SDKKey)
		token := f.linkToken()
		if left := time.Until(token.ExpiresAt); left <= 0 || left > 15*time.Minute {
			t.Errorf("the link token expires in %v", left)
		}
		for _, scheme := range []string{"Bearer ", "bearer ", "Bearer  "} {
			var got identity
			decode(t, f.do(whoamiRequest(scheme+token.Token)), http.StatusOK, &got)
			if want := (identity{demoWorkspace, demoCustomer}); got != want {
				t.Errorf("with %q: got %+v, want %+v", scheme, got, want)
			}
		}
		if f.log.Len() > 0 {
			t.Errorf("there is something in the log:\n%s", &f.log)
		}
	})
}

func TestNotSignedIn(t *testing.T) {
	for name, cookie := range map[string]*http.Cookie{
		"no cookie":      nil,
		"another cookie": {Name: "other", Value: "value"},
		"empty":          {Name: sessionCookie},
		"forged":         {Name: sessionCookie, Value: demoCustomer},
		"another run's":  newFixture(t, clienttest.SDKKey).signIn(),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			r := httptest.NewRequest(http.MethodPost, "/link-token", nil)
			if cookie != nil {
				r.AddCookie(cookie)
			}
			refused(t, f.do(r), http.StatusUnauthorized, "not signed in")
			if len(f.api.Requests()) > 0 {
				t.Error("Oneloop was asked")
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
			resp := f.do(r)
			if test.status == http.StatusForbidden {
				refused(t, resp, test.status, "cross-origin request")
			} else if resp.StatusCode != test.status {
				t.Errorf("got status %d, want %d", resp.StatusCode, test.status)
			}
		})
	}
}

// TestNotAdmitted has every request that comes without a valid link token.
func TestNotAdmitted(t *testing.T) {
	const (
		noCredentials = "Bearer"
		invalidToken  = `Bearer error="invalid_token"`
	)
	for name, test := range map[string]struct {
		authorization string // "TOKEN" stands for a link token that was made
		before        func(*clienttest.API, client.LinkToken)
		challenge     string
		asked         int // how often Oneloop was asked
	}{
		"no header":         {"", nil, noCredentials, 0},
		"another scheme":    {"Basic TOKEN", nil, noCredentials, 0},
		"no scheme":         {"TOKEN", nil, noCredentials, 0},
		"only the scheme":   {"Bearer", nil, invalidToken, 0},
		"empty token":       {"Bearer  ", nil, invalidToken, 0},
		"dot segment":       {"Bearer ..", nil, invalidToken, 0},
		"slash":             {"Bearer ../link-token", nil, invalidToken, 0},
		"control character": {"Bearer a\x00b", nil, invalidToken, 0},
		"not UTF-8":         {"Bearer \xff", nil, invalidToken, 0},
		"too long":          {"Bearer " + strings.Repeat("a", 5000), nil, invalidToken, 0},
		"unknown token":     {"Bearer no-such-link-token", nil, invalidToken, 1},
		"two tokens":        {"Bearer TOKEN TOKEN", nil, invalidToken, 0},
		"Oneloop's 400": {"Bearer TOKEN", func(api *clienttest.API, _ client.LinkToken) {
			api.Queue(oneloopSays(http.StatusBadRequest, nil))
		}, invalidToken, 1},
		"revoked": {"Bearer TOKEN", func(api *clienttest.API, token client.LinkToken) {
			api.Revoke(token.Token)
		}, invalidToken, 1},
		"expired": {"Bearer TOKEN", func(api *clienttest.API, token client.LinkToken) {
			api.Advance(time.Until(token.ExpiresAt))
		}, invalidToken, 1},
	} {
		inBubble(t, name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			token := f.linkToken()
			if test.before != nil {
				test.before(f.api, token)
			}
			resp := f.do(whoamiRequest(strings.ReplaceAll(test.authorization, "TOKEN", token.Token)))
			refused(t, resp, http.StatusUnauthorized, textNotAdmitted)
			if got := resp.Header.Get("WWW-Authenticate"); got != test.challenge {
				t.Errorf("the challenge is %q, want %q", got, test.challenge)
			}
			if got := len(f.api.Requests()) - 1; got != test.asked {
				t.Errorf("Oneloop was asked %d times, want %d", got, test.asked)
			}
			if log := f.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "nil") {
				t.Errorf("a caller's mistake is logged as an error, or without its reason:\n%s", log)
			}
		})
	}
}

func TestWhoamiWithoutAdmission(t *testing.T) {
	w := httptest.NewRecorder()
	whoami(w, whoamiRequest(""))
	refused(t, w.Result(), http.StatusUnauthorized, textNotAdmitted)
}

// TestOneloopFails has everything in which Oneloop gives no decision, for both
// routes.
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
		logged      string // in the log's line
	}{
		"500": {faults: times(3, oneloopSays(500, nil)), retryAfter: "5", gets: 3, posts: ambiguous, logged: "500 Internal Server Error"},
		"503": {faults: times(3, oneloopSays(503, nil)), retryAfter: "5", gets: 3, posts: 3, logged: detail},
		"429": {faults: times(3, oneloopSays(429, nil)), retryAfter: "5", gets: 3, posts: 3, logged: detail},
		"429 with Retry-After": {
			faults: times(3, clienttest.StatusRetryAfter(429, 2*time.Second)), retryAfter: "2", gets: 3, posts: 3, logged: "429",
		},
		"503 with a Retry-After that is too long to wait for": {
			faults: times(3, clienttest.StatusRetryAfter(503, time.Hour)), retryAfter: "3600", gets: 1, posts: 1, logged: "503",
		},
		"503 with a Retry-After of 0": {
			faults: times(3, clienttest.StatusRetryAfter(503, 0)), retryAfter: "5", gets: 3, posts: 3, logged: "503",
		},
		"503 with a Retry-After beyond time.Duration": {
			faults:     times(3, oneloopSays(503, http.Header{"Retry-After": {"9223372036854775807"}})),
			retryAfter: "9223372037", gets: 1, posts: 1, logged: detail,
		},
		"our SDK key is unknown":   {faults: times(1, oneloopSays(401, nil)), retryAfter: "5", gets: 1, posts: 1, logged: detail},
		"our SDK key may not":      {faults: times(1, oneloopSays(403, nil)), retryAfter: "5", gets: 1, posts: 1, logged: detail},
		"a status nobody expects":  {faults: times(1, oneloopSays(418, nil)), retryAfter: "5", gets: 1, posts: 1, logged: detail},
		"an operation that's gone": {faults: times(1, oneloopSays(404, nil)), retryAfter: "5", gets: 1, posts: 1, logged: detail},
		"redirect": {
			faults:     times(1, oneloopSays(302, http.Header{"Location": {"https://evil.example/"}})),
			retryAfter: "5", gets: 1, posts: 1, logged: "302 Found",
		},
		"connection cut": {faults: times(3, clienttest.Cut()), retryAfter: "5", gets: 3, posts: ambiguous, logged: "connection reset"},
		"silence":        {faults: times(3, clienttest.Silence()), retryAfter: "5", gets: 2, posts: ambiguous, logged: "deadline exceeded"},
		"429, then silence until the call's timeout": {
			faults:     append(times(1, clienttest.StatusRetryAfter(429, 3*time.Second)), clienttest.Silence()),
			retryAfter: "3", gets: 2, posts: 2, logged: "429",
		},
		"not JSON": {
			faults:     times(1, clienttest.Answer(200, http.Header{"Content-Type": {"text/html"}}, "<p>"+detail)),
			retryAfter: "5", gets: 1, posts: 1, logged: "malformed response",
		},
		"null": {faults: times(1, clienttest.Answer(200, nil, "null")), retryAfter: "5", gets: 1, posts: 1, logged: "malformed response"},
		"valid without an owner": {
			faults: times(1, clienttest.Answer(200, nil,
				`{"valid":true,"expiresAt":4102444800,"workspaceId":"","customerId":""}`)),
			retryAfter: "5", gets: 1, logged: "malformed response",
		},
		"neither valid nor not": {
			faults: times(1, clienttest.Answer(200, nil,
				`{"expiresAt":4102444800,"workspaceId":"w","customerId":"c"}`)),
			retryAfter: "5", gets: 1, logged: "valid is missing",
		},
		"400 for what we ask": {faults: times(1, oneloopSays(400, nil)), retryAfter: "5", posts: 1, logged: detail},
	} {
		check := func(t *testing.T, request func(*fixture) *http.Request, attempts int) {
			t.Helper()
			f := newFixture(t, clienttest.SDKKey)
			r := request(f)
			before := len(f.api.Requests())
			f.api.Queue(test.faults...)
			resp := f.do(r)
			refused(t, resp, http.StatusServiceUnavailable, textUnavailable)
			if got := resp.Header.Get("Retry-After"); got != test.retryAfter {
				t.Errorf("Retry-After is %q, want %q", got, test.retryAfter)
			}
			if got := len(f.api.Requests()) - before; got != attempts {
				t.Errorf("Oneloop was asked %d times, want %d", got, attempts)
			}
			if !strings.Contains(f.log.String(), "level=ERROR") || !strings.Contains(f.log.String(), test.logged) {
				t.Errorf("the log lacks an error with %q:\n%s", test.logged, &f.log)
			}
		}
		if test.gets > 0 {
			inBubble(t, name+"/validate", func(t *testing.T) {
				check(t, func(f *fixture) *http.Request { return whoamiRequest("Bearer " + f.linkToken().Token) }, test.gets)
			})
		}
		if test.posts > 0 {
			inBubble(t, name+"/generate", func(t *testing.T) {
				check(t, (*fixture).linkTokenRequest, test.posts)
			})
		}
	}
}

func TestWrongSDKKey(t *testing.T) {
	f := newFixture(t, "sdk_wrong")
	for name, r := range map[string]*http.Request{
		"generate": f.linkTokenRequest(),
		"validate": whoamiRequest("Bearer some-link-token"),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, f.do(r), http.StatusServiceUnavailable, textUnavailable)
		})
	}
}

// stub is a linkTokens whose every call gives these.
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

// TestFailsClosed has an error next to a result that would admit.
func TestFailsClosed(t *testing.T) {
	for name, err := range map[string]error{
		"unknown":         errors.New(detail),
		"context ended":   context.Canceled, // not the request's: it is still there
		"unknown, joined": errors.Join(errors.New(detail), client.ErrMalformedResponse),
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixture{t: t}
			valid := client.LinkTokenValidation{Valid: true, WorkspaceID: "w", CustomerID: "c"}
			f.handler = newBackend(stub{valid, err}, slog.New(slog.NewTextHandler(&f.log, nil)))
			refused(t, f.do(whoamiRequest("Bearer some-link-token")), http.StatusServiceUnavailable, textUnavailable)
			refused(t, f.do(f.linkTokenRequest()), http.StatusServiceUnavailable, textUnavailable)
		})
	}
}

func TestRetriesHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, clienttest.SDKKey)
		f.api.Queue(clienttest.Status(503), clienttest.Cut())
		token := f.linkToken()
		f.api.Queue(clienttest.Cut(), clienttest.StatusRetryAfter(429, time.Second))
		decode(t, f.do(whoamiRequest("Bearer "+token.Token)), http.StatusOK, new(identity))
	})
}

// TestClientWentAway ends the request's context while Oneloop is asked.
func TestClientWentAway(t *testing.T) {
	for name, request := range map[string]func(*fixture) *http.Request{
		"generate": (*fixture).linkTokenRequest,
		"validate": func(f *fixture) *http.Request { return whoamiRequest("Bearer " + f.linkToken().Token) },
	} {
		for name, faults := range map[string][]clienttest.Fault{
			name + " in silence":      {clienttest.Silence()},
			name + " before a retry":  {clienttest.StatusRetryAfter(503, 5*time.Second)},
			name + " after an answer": {clienttest.Status(503), clienttest.Silence()},
		} {
			inBubble(t, name, func(t *testing.T) {
				f := newFixture(t, clienttest.SDKKey)
				r := request(f)
				f.api.Queue(faults...)
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				w := httptest.NewRecorder()
				f.handler.ServeHTTP(w, r.WithContext(ctx))
				if w.Code != statusClientClosedRequest || w.Body.Len() > 0 {
					t.Errorf("answered %d with %q", w.Code, w.Body)
				}
				if strings.Contains(f.log.String(), "level=ERROR") || !strings.Contains(f.log.String(), "client went away") {
					t.Errorf("logged:\n%s", &f.log)
				}
			})
		}
	}
}

// TestRequestTimeout ends the request's context by its deadline: somebody still
// waits for the answer then.
func TestRequestTimeout(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"before the call": 0, "within the call": time.Second} {
		inBubble(t, name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			r := f.linkTokenRequest()
			f.api.Queue(clienttest.Silence())
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			refused(t, f.do(r.WithContext(ctx)), http.StatusServiceUnavailable, textUnavailable)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for after, want := range map[time.Duration]int64{
		-time.Second:            5,
		0:                       5,
		1:                       1,
		time.Second:             1,
		time.Second + 1:         2,
		1500 * time.Millisecond: 2,
		time.Minute:             60,
		1<<63 - 1:               9223372037,
	} {
		if got := retryAfter(&client.ErrorResponse{RetryAfter: after}); got != want {
			t.Errorf("%v: got %d, want %d", after, got, want)
		}
	}
	if got := retryAfter(context.DeadlineExceeded); got != 5 {
		t.Errorf("no answer: got %d, want 5", got)
	}
}
