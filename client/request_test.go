package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
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
	const (
		odd   = "New: the SDK key has spaces, quotation marks, backslashes, control characters or characters outside ASCII"
		agent = "WithUserAgent: the product is empty or not printable ASCII"
	)
	for name, test := range map[string]struct {
		key  string
		opt  client.Option
		want string
	}{
		"empty key":                 {"", nil, "New: the SDK key is empty"},
		"key and key source":        {testKey, client.WithKeySource(source), "New: more than one of an SDK key, WithKeyFile and WithKeySource is given"},
		"key with a space":          {"sdk_ canary", nil, odd},
		"key with a newline":        {"sdk_canary\n", nil, odd},
		"key with NUL":              {"sdk_\x00canary", nil, odd},
		"key with DEL":              {"sdk_canary\x7f", nil, odd},
		"key with no-break space":   {"sdk_\u00a0canary", nil, odd},
		"key with byte order mark":  {"\ufeffsdk_canary", nil, odd},
		"key not UTF-8":             {"sdk_\xffcanary", nil, odd},
		"key in quotation marks":    {`"sdk_canary"`, nil, odd}, // errors show it escaped, which would escape redaction
		"key with a backslash":      {`sdk_\canary`, nil, odd},
		"nil http.Client":           {testKey, client.WithHTTPClient(nil), "WithHTTPClient: the http.Client is nil"},
		"nil key source":            {"", client.WithKeySource(nil), "WithKeySource: the function is nil"},
		"nil observer":              {testKey, client.WithObserver(nil), "WithObserver: the function is nil"},
		"observer of a nil logger":  {testKey, client.WithObserver(client.LogAttempts(nil)), "WithObserver: the function is nil"},
		"negative timeout":          {testKey, client.WithTimeout(-1), "WithTimeout: the duration is negative"},
		"negative MaxAttempts":      {testKey, policy(client.RetryPolicy{MaxAttempts: -1}), "WithRetryPolicy: MaxAttempts is negative"},
		"negative BaseDelay":        {testKey, policy(client.RetryPolicy{BaseDelay: -1}), "WithRetryPolicy: BaseDelay is negative"},
		"negative MaxDelay":         {testKey, policy(client.RetryPolicy{MaxDelay: -1}), "WithRetryPolicy: MaxDelay is negative"},
		"negative MaxRetryAfter":    {testKey, policy(client.RetryPolicy{MaxRetryAfter: -1}), "WithRetryPolicy: MaxRetryAfter is negative"},
		"negative AttemptTimeout":   {testKey, policy(client.RetryPolicy{AttemptTimeout: -1}), "WithRetryPolicy: AttemptTimeout is negative"},
		"empty user agent":          {testKey, client.WithUserAgent(""), agent},
		"user agent with a newline": {testKey, client.WithUserAgent("a\r\nX-Evil: 1"), agent},
		"user agent not ASCII":      {testKey, client.WithUserAgent("acmé"), agent},
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
			if !errors.Is(err, client.ErrInvalidArgument) || err.Error() != "oneloop: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	const (
		parse  = "the URL does not parse"
		scheme = "the URL does not begin with https:// or http://"
		host   = "the URL has no host"
		parts  = "the URL has user info, a query or a fragment"
		plain  = "plain http would send the SDK key unencrypted: use https, or WithInsecureHTTP if the network encrypts traffic itself"
	)
	for rawURL, want := range map[string]string{ // the URL to which the API's paths are appended, or the problem
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
		"":                                     scheme,
		"prod.oneloop.ai":                      scheme,
		"//prod.oneloop.ai":                    scheme,
		"ftp://prod.oneloop.ai":                scheme,
		"file:///etc/passwd":                   scheme,
		"https://":                             host,
		"https://:443":                         host,
		"https:prod.oneloop.ai":                host,
		"https:///path":                        host,
		"https://canary:canary@gw.example":     parts,
		"https://canary@gw.example":            parts,
		"http://localhost@canary.example":      parts,
		"https://gw.example?canary=1":          parts,
		"https://gw.example?":                  parts,
		"https://gw.example#canary":            parts,
		"https://gw.example#":                  parts,
		"https://gw.example:canary":            parse,
		"https://gw.example/%zz":               parse,
		"https://gw.example/100%25/%s/":        parse,
		"https://gw .example":                  parse,
		"https://gw.example\n":                 parse,
		"http://prod.oneloop.ai":               plain, // not encrypted
		"http://127.0.0.1.canary.example":      plain,
		"http://localhost.canary.example":      plain,
		"http://0.0.0.0:8080":                  plain,
		"http://10.0.0.1":                      plain,
		"http://[::ffff:10.0.0.1]":             plain,
		"http://127.1":                         plain, // package net takes it for a name
		"http://canary.example/http://[::1]:1": plain,
	} {
		t.Run(rawURL, func(t *testing.T) {
			s := newScript(responds(200, validated))
			c, err := client.New(testKey, client.WithBaseURL(rawURL), via(s))
			if strings.Contains(want, " ") {
				if !errors.Is(err, client.ErrInvalidArgument) || err.Error() != "oneloop: WithBaseURL: "+want {
					t.Errorf("got %v, want %s", err, want)
				}
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
		"nothing":                  {client.GenerateLinkTokenRequest{}, "CustomerID is empty"},
		"no customer":              {client.GenerateLinkTokenRequest{WorkspaceID: "w"}, "CustomerID is empty"},
		"no workspace":             {client.GenerateLinkTokenRequest{CustomerID: "c"}, "WorkspaceID is empty"},
		"customer not UTF-8":       {client.GenerateLinkTokenRequest{CustomerID: "canary\xff", WorkspaceID: "w"}, "CustomerID is not valid UTF-8"},
		"workspace not UTF-8":      {client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "canary\xc3\x28"}, "WorkspaceID is not valid UTF-8"},
		"billing id not UTF-8":     {client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w", ExternalBillingID: "canary\xed\xa0\x80"}, "ExternalBillingID is not valid UTF-8"},
		"billing id overlong UTF8": {client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w", ExternalBillingID: "\xc0\xaf"}, "ExternalBillingID is not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(responds(200, generated))
			token, err := newClient(t, via(s)).GenerateLinkToken(t.Context(), test.req)
			if !errors.Is(err, client.ErrInvalidArgument) || err.Error() != "oneloop: generateLinkToken: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if token != nil || s.attempts() != 0 {
				t.Errorf("got %v after %d requests, want nothing sent", token, s.attempts())
			}
		})
	}
}

func TestDefaultRequest(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			s := newScript(responds(200, op.ok))
			c := newClient(t, via(s), client.WithUserAgent("acme/2.1 (test)"))
			if _, err := op.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if got := s.requests[0].URL; got.Scheme+"://"+got.Host != "https://prod.oneloop.ai" {
				t.Errorf("sent to %s by default", got)
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
