package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
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

// A fixture is a backend that calls the fake API, with the default retry policy. Tests
// in which it waits run in a synctest bubble, where waits take no time.
type fixture struct {
	t       *testing.T
	api     *clienttest.API
	handler http.Handler
	log     bytes.Buffer
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, api: clienttest.NewAPI()}
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&f.log, nil)))
	t.Cleanup(func() { slog.SetDefault(old) })
	c, err := newClient(f.api, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.handler = newBackend(c, "workspace_1", f.api)
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
	for _, leak := range []string{detail, clienttest.SDKKey, "oneloop:", "context "} {
		if strings.Contains(response.String(), leak) {
			f.t.Errorf("the response contains %q:\n%s", leak, &response)
		}
	}
	for _, secret := range []string{clienttest.SDKKey, "lt_test_"} {
		if strings.Contains(f.log.String(), secret) {
			f.t.Errorf("the log contains %q:\n%s", secret, &f.log)
		}
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "Content-Security-Policy": policy} {
		if got := w.Result().Header.Get(name); got != want && w.Code != http.StatusNotFound { // http.FileServer deletes some headers
			f.t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	return w.Result()
}

// signedIn returns a POST with the cookie that the page sets.
func (f *fixture) signedIn(path string) *http.Request {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), http.MethodPost, path, nil)
	for _, cookie := range f.do(httptest.NewRequest(http.MethodGet, "/", nil)).Cookies() {
		r.AddCookie(cookie)
	}
	return r
}

func (f *fixture) linkTokenRequest() *http.Request {
	return f.signedIn("/link-token")
}

func (f *fixture) linkToken() client.LinkToken {
	f.t.Helper()
	var token client.LinkToken
	decode(f.t, f.do(f.linkTokenRequest()), &token)
	return token
}

func usageRequest(authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/usage", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r
}

func (f *fixture) validUsageRequest() *http.Request {
	return usageRequest("Bearer " + f.linkToken().Token)
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

// want checks the status and the text of a response.
func want(t *testing.T, resp *http.Response, status int, text string) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if got := strings.TrimSpace(string(body)); resp.StatusCode != status || got != text || err != nil {
		t.Errorf("got %d %q (%v), want %d %q", resp.StatusCode, got, err, status, text)
	}
}

func TestLinkTokenAndUsage(t *testing.T) {
	f := newFixture(t)
	token := f.linkToken()
	if left := time.Until(token.ExpiresAt); left <= 14*time.Minute || left > 15*time.Minute {
		t.Errorf("the link token expires in %v, want 15 minutes", left)
	}
	for range 2 { // validating does not consume the token
		var got map[string]any
		decode(t, f.do(usageRequest("bearer  "+token.Token)), &got)
		want := map[string]any{"customerId": "customer_1", "workspaceId": "workspace_1", "requests": 12480.0, "errors": 31.0}
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if got := len(f.api.Requests()); got != 3 {
		t.Errorf("Oneloop received %d requests, want 3", got)
	}
}

func TestNotSignedIn(t *testing.T) {
	f, other := newFixture(t), newFixture(t)
	for name, cookies := range map[string][]*http.Cookie{
		"no cookie":     nil,
		"other cookie":  {{Name: "other", Value: "value"}},
		"empty":         {{Name: "demo"}},
		"forged":        {{Name: "demo", Value: "customer_1"}},
		"other process": other.signedIn("/").Cookies(),
		"signed out":    f.do(f.signedIn("/sign-out")).Cookies(),
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/link-token", nil)
			for _, cookie := range cookies {
				r.AddCookie(cookie)
			}
			want(t, f.do(r), http.StatusUnauthorized, "not signed in")
		})
	}
	if got := len(f.api.Requests()); got > 0 {
		t.Errorf("Oneloop received %d requests, want none", got)
	}
}

func TestCrossOrigin(t *testing.T) {
	f := newFixture(t)
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
			for _, path := range []string{"/link-token", "/sign-out", "/fake/works"} {
				r := f.signedIn(path)
				r.Header.Set(test.header, test.value)
				if resp := f.do(r); resp.StatusCode != test.status {
					t.Errorf("%s: got status %d, want %d", path, resp.StatusCode, test.status)
				}
			}
		})
	}
}

// TestNotAdmitted requests usage without a valid link token. The tests of package
// linkauth cover more cases.
func TestNotAdmitted(t *testing.T) {
	for name, test := range map[string]struct {
		authorization string // with "TOKEN" in place of a link token
		end           func(*clienttest.API, string) bool
	}{
		"no header":     {authorization: ""},
		"dot segment":   {authorization: "Bearer .."},
		"unknown token": {authorization: "Bearer no-such-link-token"},
		"revoked":       {authorization: "Bearer TOKEN", end: (*clienttest.API).Revoke},
		"expired":       {authorization: "Bearer TOKEN", end: (*clienttest.API).Expire},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			token := f.linkToken().Token
			if test.end != nil && !test.end(f.api, token) {
				t.Fatal("unknown link token")
			}
			resp := f.do(usageRequest(strings.ReplaceAll(test.authorization, "TOKEN", token)))
			want(t, resp, http.StatusUnauthorized, "Unauthorized")
			if got := resp.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, `Bearer realm="link token"`) {
				t.Errorf("the challenge is %q", got)
			}
			if f.log.Len() > 0 {
				t.Errorf("strangers can fill the log:\n%s", &f.log)
			}
		})
	}
}

// TestFailures makes Oneloop fail, for both endpoints.
func TestFailures(t *testing.T) {
	fails := func(status int, header http.Header) clienttest.Fault {
		return clienttest.Response(status, header, `{"error":{"code":42,"message":"`+detail+`"}}`).Always()
	}
	for name, test := range map[string]struct {
		fault            clienttest.Fault
		linkToken, usage int // statuses
		retryAfter       string
	}{
		"outage":        {fails(503, nil), 503, 503, "5"},
		"rate limited":  {fails(429, http.Header{"Retry-After": {"2"}}), 503, 503, "2"},
		"wrong SDK key": {fails(401, nil), 503, 503, "5"},
		"wrong path":    {fails(404, nil), 503, 503, "5"},
		"bad request":   {fails(400, nil), 500, 401, ""},
		"malformed":     {clienttest.Response(200, nil, `{"token":"`+detail+`"}`).Always(), 503, 503, "5"},
		"cut":           {clienttest.Cut().Always(), 503, 503, "5"},
		"silence":       {clienttest.Silence().Always(), 503, 503, "5"},
	} {
		for path, request := range map[string]func(*fixture) *http.Request{
			"link-token": (*fixture).linkTokenRequest,
			"usage":      (*fixture).validUsageRequest,
		} {
			t.Run(name+"/"+path, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t)
					r := request(f)
					f.api.Queue(test.fault)
					status := map[string]int{"link-token": test.linkToken, "usage": test.usage}[path]
					resp := f.do(r)
					want(t, resp, status, http.StatusText(status))
					if got := resp.Header.Get("Retry-After"); got != test.retryAfter {
						t.Errorf("Retry-After is %q, want %q", got, test.retryAfter)
					}
					if logged := strings.Contains(f.log.String(), "level=ERROR"); logged != (status >= 500) {
						t.Errorf("got log:\n%s", &f.log)
					}
				})
			})
		}
	}
}

// TestClientDisconnects cancels the request's context during the call to Oneloop.
func TestClientDisconnects(t *testing.T) {
	for name, request := range map[string]func(*fixture) *http.Request{
		"link-token": (*fixture).linkTokenRequest,
		"usage":      (*fixture).validUsageRequest,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				r := request(f)
				f.api.Queue(clienttest.Silence())
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(3*time.Second, cancel)
				if got := f.do(r.WithContext(ctx)).StatusCode; got != 499 || f.log.Len() > 0 {
					t.Errorf("got status %d, want 499; logged:\n%s", got, &f.log)
				}
			})
		})
	}
}

// TestServerTiming checks the headers that report requests to Oneloop to the page.
func TestServerTiming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		r := f.linkTokenRequest()
		f.api.Queue(clienttest.StatusRetryAfter(503, time.Second), clienttest.Delay(20*time.Millisecond))
		want := []string{
			`attempt;desc="generateLinkToken 503";dur=0.0, wait;dur=1000`,
			`attempt;desc="generateLinkToken 200";dur=20.0, wait;dur=0`,
		}
		if got := f.do(r).Header.Values("Server-Timing"); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		f.api.Queue(clienttest.Cut())
		got := f.do(usageRequest("Bearer lt_1")).Header.Values("Server-Timing")
		if len(got) != 2 || !strings.HasPrefix(got[0], `attempt;desc="validateLinkToken 0";dur=0.0`) {
			t.Errorf("got %q", got)
		}
	})
}
