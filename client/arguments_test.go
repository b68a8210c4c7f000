package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// checkRejected checks that err matches want, contains name and
// does not show secret.
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

func TestNewRefusesBadArguments(t *testing.T) {
	t.Parallel()
	source := func(context.Context) (string, error) { return testKey, nil }
	for name, test := range map[string]struct {
		key  string
		opts []client.Option
		want string
	}{
		"empty key":                 {"", nil, "SDK key is empty"},
		"key and key source":        {testKey, []client.Option{client.WithKeySource(source)}, "WithKeySource"},
		"key with a space":          {"sdk_ canary", nil, "SDK key has spaces"},
		"key with a newline":        {"sdk_canary\n", nil, "SDK key has spaces"},
		"key with NUL":              {"sdk_\x00canary", nil, "SDK key has spaces"},
		"key with DEL":              {"sdk_canary\x7f", nil, "SDK key has spaces"},
		"key with no-break space":   {"sdk_\u00a0canary", nil, "SDK key has spaces"},
		"key with byte order mark":  {"\ufeffsdk_canary", nil, "outside ASCII"},
		"key not UTF-8":             {"sdk_\xffcanary", nil, "outside ASCII"},
		"nil http.Client":           {testKey, []client.Option{client.WithHTTPClient(nil)}, "WithHTTPClient"},
		"nil key source":            {"", []client.Option{client.WithKeySource(nil)}, "WithKeySource"},
		"nil observer":              {testKey, []client.Option{client.WithObserver(nil)}, "WithObserver"},
		"observer of a nil logger":  {testKey, []client.Option{client.WithObserver(client.LogAttempts(nil))}, "WithObserver"},
		"negative timeout":          {testKey, []client.Option{client.WithTimeout(-1)}, "WithTimeout"},
		"negative MaxAttempts":      {testKey, []client.Option{client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: -1})}, "WithRetryPolicy"},
		"negative BaseDelay":        {testKey, []client.Option{client.WithRetryPolicy(client.RetryPolicy{BaseDelay: -1})}, "WithRetryPolicy"},
		"negative MaxDelay":         {testKey, []client.Option{client.WithRetryPolicy(client.RetryPolicy{MaxDelay: -1})}, "WithRetryPolicy"},
		"negative MaxRetryAfter":    {testKey, []client.Option{client.WithRetryPolicy(client.RetryPolicy{MaxRetryAfter: -1})}, "WithRetryPolicy"},
		"negative AttemptTimeout":   {testKey, []client.Option{client.WithRetryPolicy(client.RetryPolicy{AttemptTimeout: -1})}, "WithRetryPolicy"},
		"empty user agent":          {testKey, []client.Option{client.WithUserAgent("")}, "WithUserAgent"},
		"user agent with a newline": {testKey, []client.Option{client.WithUserAgent("a\r\nX-Evil: 1")}, "WithUserAgent"},
		"user agent not ASCII":      {testKey, []client.Option{client.WithUserAgent("acmé")}, "WithUserAgent"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := client.New(test.key, test.opts...)
			if c != nil {
				t.Error("New returned a Client with its error")
			}
			checkRejected(t, err, client.ErrInvalidArgument, test.want, test.key)
		})
	}
}

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for rawURL, ok := range map[string]bool{
		"https://prod.oneloop.ai":              true,
		"https://prod.oneloop.ai/":             true,
		"https://gw.example/oneloop":           true,
		"https://gw.example:8443/a/b/":         true,
		"HTTPS://GW.EXAMPLE":                   true,
		"http://localhost:8080":                true,
		"http://LocalHost":                     true,
		"http://127.0.0.1:1":                   true,
		"http://127.8.9.10":                    true,
		"http://[::1]:8080/base":               true,
		"":                                     false,
		"prod.oneloop.ai":                      false, // no scheme
		"//prod.oneloop.ai":                    false,
		"https://":                             false, // no host
		"https://:443":                         false,
		"https:prod.oneloop.ai":                false,
		"https:///path":                        false,
		"ftp://prod.oneloop.ai":                false,
		"file:///etc/passwd":                   false,
		"https://canary:canary@gw.example":     false, // user info
		"https://canary@gw.example":            false,
		"https://gw.example?canary=1":          false, // query
		"https://gw.example?":                  false,
		"https://gw.example#canary":            false, // fragment
		"https://gw.example#":                  false,
		"https://gw.example:canary":            false, // does not parse
		"https://gw.example/%zz":               false,
		"https://gw .example":                  false,
		"https://gw.example\n":                 false,
		"http://prod.oneloop.ai":               false, // not encrypted
		"http://127.0.0.1.canary.example":      false,
		"http://localhost.canary.example":      false,
		"http://0.0.0.0:8080":                  false,
		"http://10.0.0.1":                      false,
		"http://[::ffff:10.0.0.1]":             false,
		"http://127.1":                         false, // package net takes it for a name
		"http://localhost@canary.example":      false,
		"http://canary.example/http://[::1]:1": false,
	} {
		t.Run(rawURL, func(t *testing.T) {
			_, err := client.New(testKey, client.WithBaseURL(rawURL))
			if ok && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !ok {
				checkRejected(t, err, client.ErrInvalidArgument, "WithBaseURL", "canary")
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
	if _, err := client.New(testKey, client.WithBaseURL("http://fake:8090"), client.WithBaseURL("https://fake:8090")); err != nil {
		t.Errorf("New refused a base URL that a later option replaces: %v", err)
	}
}

func TestGenerateLinkTokenRefusesBadArguments(t *testing.T) {
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

// linkTokenCharacters are all characters that a link token may contain. RFC 3986
// allows them in a path segment without escaping.
const linkTokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@"

var badLinkTokens = map[string]string{
	"empty":       "",
	"dot":         ".",
	"two dots":    "..",
	"slash":       "canary/canary",
	"first slash": "/canary",
	"backslash":   `canary\canary`,
	"traversal":   "../link-token",
	"percent":     "canary%",
	"escaped":     "canary%2e%2e",
	"space":       "can ary",
	"query":       "canary?",
	"fragment":    "canary#",
	"quote":       `canary"`,
	"angle":       "<canary>",
	"brackets":    "[canary]",
	"braces":      "{canary}",
	"pipe":        "canary|",
	"caret":       "canary^",
	"backquote":   "canary`",
	"newline":     "canary\n",
	"NUL":         "canary\x00",
	"DEL":         "canary\x7f",
	"C1 control":  "canary\u0085",
	"not ASCII":   "canaré",
	"not UTF-8":   "canary\xff",
	"too long":    strings.Repeat("t", 2049),
}

func TestValidateLinkTokenRefusesBadArguments(t *testing.T) {
	t.Parallel()
	for name, token := range badLinkTokens {
		t.Run(name, func(t *testing.T) {
			s := newScript(responds(200, validated))
			validation, err := newClient(t, via(s)).ValidateLinkToken(t.Context(), token)
			checkRejected(t, err, client.ErrInvalidLinkToken, "linkToken", token)
			if validation != nil || s.attempts() != 0 {
				t.Errorf("got %v after %d requests, want nothing sent", validation, s.attempts())
			}
		})
	}
}
