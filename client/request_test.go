package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// checkRejected checks that err matches want, contains name and does not show
// secret.
func checkRejected(t *testing.T, err, want error, name, secret string) {
	t.Helper()
	switch {
	case !errors.Is(err, want):
		t.Errorf("got %v, want %v", err, want)
	case !strings.Contains(err.Error(), name):
		t.Errorf("%q does not name %s", err, name)
	case len(secret) > 3 && strings.Contains(err.Error(), secret):
		t.Errorf("%q shows the value", err)
	}
}

func TestNewRejects(t *testing.T) {
	t.Parallel()
	source := func(context.Context) (string, error) { return testKey, nil }
	policy := client.WithRetryPolicy
	for name, test := range map[string]struct {
		key  string
		opt  client.Option
		want string
	}{
		"empty key":                 {"", nil, "SDK key is empty"},
		"key and key source":        {testKey, client.WithKeySource(source), "WithKeySource"},
		"key with a space":          {"sdk_ canary", nil, "SDK key has spaces"},
		"key with a newline":        {"sdk_canary\n", nil, "SDK key has spaces"},
		"key with NUL":              {"sdk_\x00canary", nil, "SDK key has spaces"},
		"key with DEL":              {"sdk_canary\x7f", nil, "SDK key has spaces"},
		"key with no-break space":   {"sdk_\u00a0canary", nil, "SDK key has spaces"},
		"key with byte order mark":  {"\ufeffsdk_canary", nil, "outside ASCII"},
		"key not UTF-8":             {"sdk_\xffcanary", nil, "outside ASCII"},
		"nil http.Client":           {testKey, client.WithHTTPClient(nil), "WithHTTPClient"},
		"nil key source":            {"", client.WithKeySource(nil), "WithKeySource"},
		"nil observer":              {testKey, client.WithObserver(nil), "WithObserver"},
		"observer of a nil logger":  {testKey, client.WithObserver(client.LogAttempts(nil)), "WithObserver"},
		"negative timeout":          {testKey, client.WithTimeout(-1), "WithTimeout"},
		"negative MaxAttempts":      {testKey, policy(client.RetryPolicy{MaxAttempts: -1}), "WithRetryPolicy: MaxAttempts"},
		"negative BaseDelay":        {testKey, policy(client.RetryPolicy{BaseDelay: -1}), "WithRetryPolicy: BaseDelay"},
		"negative MaxDelay":         {testKey, policy(client.RetryPolicy{MaxDelay: -1}), "WithRetryPolicy: MaxDelay"},
		"negative MaxRetryAfter":    {testKey, policy(client.RetryPolicy{MaxRetryAfter: -1}), "WithRetryPolicy: MaxRetryAfter"},
		"negative AttemptTimeout":   {testKey, policy(client.RetryPolicy{AttemptTimeout: -1}), "WithRetryPolicy: AttemptTimeout"},
		"empty user agent":          {testKey, client.WithUserAgent(""), "WithUserAgent"},
		"user agent with a newline": {testKey, client.WithUserAgent("a\r\nX-Evil: 1"), "WithUserAgent"},
		"user agent not ASCII":      {testKey, client.WithUserAgent("acmé"), "WithUserAgent"},
	} {
		t.Run(name, func(t *testing.T) {
			var opts []client.Option
			if test.opt != nil {
				opts = append(opts, test.opt)
			}
			c, err := client.New(test.key, opts...)
			if c != nil {
				t.Error("New returned a Client with its error")
			}
			checkRejected(t, err, client.ErrInvalidArgument, test.want, test.key)
		})
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for rawURL, want := range map[string]string{ // the URL to which the API's paths are appended, or a part of the error
		"https://prod.oneloop.ai":              "https://prod.oneloop.ai",
		"https://prod.oneloop.ai/":             "https://prod.oneloop.ai",
		"https://gw.example//":                 "https://gw.example",
		"https://gw.example/one/loop":          "https://gw.example/one/loop",
		"https://gw.example:8443/a/b/":         "https://gw.example:8443/a/b",
		"https://gw.example/one%2Floop":        "https://gw.example/one%2Floop",
		"https://gw.example/a b":               "https://gw.example/a%20b",
		"HTTPS://GW.EXAMPLE":                   "https://GW.EXAMPLE",
		"http://localhost:8080":                "http://localhost:8080",
		"http://LocalHost":                     "http://LocalHost",
		"http://127.0.0.1:1":                   "http://127.0.0.1:1",
		"http://127.8.9.10":                    "http://127.8.9.10",
		"http://[::1]:8080/base":               "http://[::1]:8080/base",
		"":                                     "begin with",
		"prod.oneloop.ai":                      "begin with",
		"//prod.oneloop.ai":                    "begin with",
		"ftp://prod.oneloop.ai":                "begin with",
		"file:///etc/passwd":                   "begin with",
		"https://":                             "no host",
		"https://:443":                         "no host",
		"https:prod.oneloop.ai":                "no host",
		"https:///path":                        "no host",
		"https://canary:canary@gw.example":     "user info",
		"https://canary@gw.example":            "user info",
		"http://localhost@canary.example":      "user info",
		"https://gw.example?canary=1":          "query",
		"https://gw.example?":                  "query",
		"https://gw.example#canary":            "fragment",
		"https://gw.example#":                  "fragment",
		"https://gw.example:canary":            "parse",
		"https://gw.example/%zz":               "parse",
		"https://gw.example/100%25/%s/":        "parse",
		"https://gw .example":                  "parse",
		"https://gw.example\n":                 "parse",
		"http://prod.oneloop.ai":               "http", // not encrypted
		"http://127.0.0.1.canary.example":      "http",
		"http://localhost.canary.example":      "http",
		"http://0.0.0.0:8080":                  "http",
		"http://10.0.0.1":                      "http",
		"http://[::ffff:10.0.0.1]":             "http",
		"http://127.1":                         "http", // package net takes it for a name
		"http://canary.example/http://[::1]:1": "http",
	} {
		t.Run(rawURL, func(t *testing.T) {
			s := newScript(responds(200, validated))
			c, err := client.New(testKey, client.WithBaseURL(rawURL), via(s))
			if !strings.Contains(want, "://") {
				checkRejected(t, err, client.ErrInvalidArgument, "WithBaseURL", "canary")
				checkRejected(t, err, client.ErrInvalidArgument, want, "canary")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := validate.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if got := s.requests[0].URL.String(); got != want+"/api/v1/link-token/"+testToken {
				t.Errorf("sent to %s, want it below %s", got, want)
			}
		})
	}
}

// WithInsecureHTTP allows plain http and nothing else, whether it is given before
// or after WithBaseURL.
func TestInsecureHTTP(t *testing.T) {
	t.Parallel()
	for rawURL, ok := range map[string]bool{
		"http://fake:8090":        true,
		"http://10.0.0.1/base":    true,
		"https://prod.oneloop.ai": true,
		"ftp://fake":              false,
		"http://canary@fake":      false,
	} {
		for _, opts := range [][]client.Option{
			{client.WithInsecureHTTP(), client.WithBaseURL(rawURL)},
			{client.WithBaseURL(rawURL), client.WithInsecureHTTP()},
		} {
			if _, err := client.New(testKey, opts...); (err == nil) != ok {
				t.Errorf("%s: got error %v, want one: %t", rawURL, err, !ok)
			}
		}
	}
	_, err := client.New(testKey, client.WithBaseURL("http://fake:8090"))
	for _, remedy := range []string{"https", "WithInsecureHTTP"} {
		checkRejected(t, err, client.ErrInvalidArgument, remedy, "fake:8090")
	}
	if _, err := client.New(testKey, client.WithBaseURL("http://fake:8090"), client.WithBaseURL("https://fake:8090")); err != nil {
		t.Errorf("New rejected a base URL that a later option replaces: %v", err)
	}
}

func TestGenerateLinkTokenRejects(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		req  client.GenerateLinkTokenRequest
		want string
	}{
		"nothing":                  {client.GenerateLinkTokenRequest{}, "CustomerID"},
		"no customer":              {client.GenerateLinkTokenRequest{WorkspaceID: "w"}, "CustomerID"},
		"no workspace":             {client.GenerateLinkTokenRequest{CustomerID: "c"}, "WorkspaceID"},
		"customer not UTF-8":       {client.GenerateLinkTokenRequest{CustomerID: "canary\xff", WorkspaceID: "w"}, "CustomerID"},
		"workspace not UTF-8":      {client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "canary\xc3\x28"}, "WorkspaceID"},
		"billing id not UTF-8":     {client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w", ExternalBillingID: "canary\xed\xa0\x80"}, "ExternalBillingID"},
		"billing id overlong UTF8": {client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w", ExternalBillingID: "\xc0\xaf"}, "ExternalBillingID"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(responds(200, generated))
			token, err := newClient(t, via(s)).GenerateLinkToken(t.Context(), test.req)
			checkRejected(t, err, client.ErrInvalidArgument, test.want, "canary")
			if token != nil || s.attempts() != 0 {
				t.Errorf("got %v after %d requests, want nothing sent", token, s.attempts())
			}
		})
	}
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			s := newScript(responds(200, op.ok))
			c := newClient(t, via(s), client.WithUserAgent("acme/2.1 (test)"))
			if _, err := op.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			h := s.requests[0].Header
			if got := h["Authorization"]; len(got) != 1 || got[0] != "Bearer "+testKey {
				t.Errorf("Authorization: got %q", got)
			}
			if got := h.Get("Accept"); got != "application/json" {
				t.Errorf("Accept: got %q", got)
			}
			if got, want := h.Get("User-Agent"), "acme/2.1 (test) oneloop-go/"+client.Version+" (go"; !strings.HasPrefix(got, want) {
				t.Errorf("User-Agent: got %q, want it to begin with %q", got, want)
			}
			if got := h.Get("Accept-Encoding"); got != "identity" {
				t.Errorf("Accept-Encoding: got %q", got)
			}
			if got := h.Get("Idempotency-Key"); got != "" {
				t.Errorf("Idempotency-Key: got %q, but net/http would replay a POST that has one", got)
			}
		})
	}
}

// On its own, net/http would accept gzip and decompress the response.
func TestAcceptEncodingOnTheWire(t *testing.T) {
	t.Parallel()
	withEachTransport(t, func(t *testing.T, transport client.Option) {
		server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header["Accept-Encoding"]; !slices.Equal(got, []string{"identity"}) {
				t.Errorf("got Accept-Encoding %q, want identity", got)
			}
			respondOK(w, r)
		}))
		for _, op := range operations {
			if _, err := op.call(t.Context(), newClient(t, transport, client.WithBaseURL(server.URL))); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestGenerateLinkTokenBody(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		req  client.GenerateLinkTokenRequest
		want map[string]any
	}{
		{client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w"}, map[string]any{"customerId": "c", "workspaceId": "w"}},
		{client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w", ExternalBillingID: "b"}, map[string]any{"customerId": "c", "workspaceId": "w", "externalBillingId": "b"}},
	} {
		s := newScript(responds(200, generated))
		if _, err := newClient(t, via(s)).GenerateLinkToken(t.Context(), test.req); err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(s.bodies[0]), &got); err != nil || !maps.Equal(got, test.want) {
			t.Errorf("got %s, want %v", s.bodies[0], test.want)
		}
		if got := s.requests[0].Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type: got %q", got)
		}
	}
}
