package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/client"
)

// refused checks an argument error: it matches, names what was refused, and
// shows no secret.
func refused(t *testing.T, err error, name, secret string) {
	t.Helper()
	switch {
	case !errors.Is(err, client.ErrInvalidArgument):
		t.Errorf("got %v, want ErrInvalidArgument", err)
	case !strings.Contains(err.Error(), name):
		t.Errorf("%q does not name %s", err, name)
	case len(secret) > 3 && strings.Contains(err.Error(), secret):
		t.Errorf("%q shows the value", err)
	}
}

func TestNewRefusesBadArguments(t *testing.T) {
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
		"nil option":                {testKey, []client.Option{nil}, "option is nil"},
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
				t.Error("got a Client too")
			}
			refused(t, err, test.want, test.key)
		})
	}
}

func TestBaseURL(t *testing.T) {
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
		"http://prod.oneloop.ai":               false, // in the clear
		"http://127.0.0.1.canary.example":      false,
		"http://localhost.canary.example":      false,
		"http://0.0.0.0:8080":                  false,
		"http://10.0.0.1":                      false,
		"http://[::ffff:10.0.0.1]":             false,
		"http://127.1":                         false, // a name to net, not an address
		"http://localhost@canary.example":      false,
		"http://canary.example/http://[::1]:1": false,
	} {
		t.Run(rawURL, func(t *testing.T) {
			_, err := client.New(testKey, client.WithBaseURL(rawURL))
			if ok && err != nil {
				t.Errorf("refused: %v", err)
			}
			if !ok {
				refused(t, err, "WithBaseURL", "canary")
			}
		})
	}
}

// WithInsecureHTTP allows plain http and nothing else, wherever it stands among
// the options.
func TestInsecureHTTP(t *testing.T) {
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
				t.Errorf("%s: %v", rawURL, err)
			}
		}
	}
	if _, err := client.New(testKey, client.WithBaseURL("http://fake:8090"), client.WithBaseURL("https://fake:8090")); err != nil {
		t.Errorf("the later base URL does not count: %v", err)
	}
}

func TestBaseURLWithPath(t *testing.T) {
	for base, want := range map[string]string{
		"https://gw.example":            "https://gw.example/api/v1/link-token/",
		"https://gw.example/":           "https://gw.example/api/v1/link-token/",
		"https://gw.example//":          "https://gw.example/api/v1/link-token/",
		"https://gw.example/one/loop":   "https://gw.example/one/loop/api/v1/link-token/",
		"https://gw.example/one%2Floop": "https://gw.example/one%2Floop/api/v1/link-token/",
		"https://gw.example/100%25/%s/": "", // does not parse
		"https://gw.example/a b":        "https://gw.example/a%20b/api/v1/link-token/",
	} {
		t.Run(base, func(t *testing.T) {
			s := newScript(responds(200, validated))
			c, err := client.New(testKey, client.WithBaseURL(base), client.WithHTTPClient(&http.Client{Transport: s}))
			if want == "" {
				refused(t, err, "WithBaseURL", base)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.ValidateLinkToken(t.Context(), testToken); err != nil {
				t.Fatal(err)
			}
			if got := s.requests[0].URL.String(); got != want+testToken {
				t.Errorf("got %s, want %s", got, want+testToken)
			}
		})
	}
}

func TestGenerateLinkTokenRefusesBadArguments(t *testing.T) {
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
			refused(t, err, test.want, "canary")
			if token != nil || s.attempts() != 0 {
				t.Errorf("got %v after %d requests, want nothing sent", token, s.attempts())
			}
		})
	}
}

func TestValidateLinkTokenRefusesBadArguments(t *testing.T) {
	for name, token := range map[string]string{
		"empty":             "",
		"dot":               ".",
		"two dots":          "..",
		"slash":             "canary/canary",
		"leading slash":     "/canary",
		"backslash":         `canary\canary`,
		"traversal":         "../link-token",
		"newline":           "canary\n",
		"NUL":               "canary\x00",
		"DEL":               "canary\x7f",
		"C1 control":        "canary\u0085",
		"not UTF-8":         "canary\xff",
		"longer than 4 KiB": strings.Repeat("canary", 683),
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(responds(200, validated))
			validation, err := newClient(t, via(s)).ValidateLinkToken(t.Context(), token)
			refused(t, err, "linkToken", token)
			if validation != nil || s.attempts() != 0 {
				t.Errorf("got %v after %d requests, want nothing sent", validation, s.attempts())
			}
		})
	}
}

func TestNilContextIsRefused(t *testing.T) {
	for _, op := range operations {
		var ctx context.Context
		_, err := op.call(ctx, newClient(t, via(newScript(responds(200, op.ok)))))
		refused(t, err, "context", "")
	}
}

func TestLongestLinkTokenIsSent(t *testing.T) {
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(validated))
	}))
	c := newClient(t, client.WithBaseURL(server.URL), quick)
	if _, err := c.ValidateLinkToken(t.Context(), strings.Repeat("é", 2<<10)); err != nil {
		t.Error(err)
	}
}

func TestRequest(t *testing.T) {
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
			if got := h.Get("Idempotency-Key"); got != "" {
				t.Errorf("Idempotency-Key: got %q, but net/http would replay a POST that has one", got)
			}
		})
	}
}

func TestGenerateLinkTokenSendsTheContractsNames(t *testing.T) {
	for _, test := range []struct {
		req  client.GenerateLinkTokenRequest
		want string
	}{
		{client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w"}, `{"customerId":"c","workspaceId":"w"}`},
		{client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w", ExternalBillingID: "b"}, `{"customerId":"c","externalBillingId":"b","workspaceId":"w"}`},
	} {
		s := newScript(responds(200, generated))
		if _, err := newClient(t, via(s)).GenerateLinkToken(t.Context(), test.req); err != nil {
			t.Fatal(err)
		}
		if s.bodies[0] != test.want {
			t.Errorf("got %s, want %s", s.bodies[0], test.want)
		}
		if got := s.requests[0].Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type: got %q", got)
		}
	}
}

func TestKeySource(t *testing.T) {
	var asked atomic.Int32
	keys := []string{"key-one", "key-two"}
	s := newScript(responds(503, ""), responds(200, validated))
	c, err := client.New("",
		client.WithKeySource(func(context.Context) (string, error) { return keys[asked.Add(1)-1], nil }),
		client.WithHTTPClient(&http.Client{Transport: s}), quick)
	if err != nil {
		t.Fatal(err)
	}
	for range keys {
		if _, err := c.ValidateLinkToken(t.Context(), testToken); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, req := range s.requests {
		got = append(got, req.Header.Get("Authorization"))
	}
	// Once per call, the retry included.
	if want := "Bearer key-one,Bearer key-one,Bearer key-two"; strings.Join(got, ",") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKeySourceFails(t *testing.T) {
	errVault := errors.New("vault is sealed")
	for name, test := range map[string]struct {
		source func(context.Context) (string, error)
		want   error
	}{
		"error":         {func(context.Context) (string, error) { return "", errVault }, errVault},
		"error and key": {func(context.Context) (string, error) { return testKey, errors.New(testKey + " has expired") }, nil},
		"empty key":     {func(context.Context) (string, error) { return "", nil }, nil},
		"malformed key": {func(context.Context) (string, error) { return testKey + "\n", nil }, nil},
		"hanging": {func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(responds(200, validated))
			c, err := client.New("", client.WithKeySource(test.source),
				client.WithHTTPClient(&http.Client{Transport: s}), client.WithTimeout(10*time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.ValidateLinkToken(t.Context(), testToken)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if errors.Is(err, client.ErrInvalidArgument) {
				t.Errorf("%v looks as if the link token were to blame", err)
			}
			if !strings.Contains(err.Error(), "WithKeySource") || strings.Contains(err.Error(), testKey) {
				t.Errorf("%q shows the key, or does not name the option", err)
			}
			if s.attempts() != 0 {
				t.Errorf("%d requests were sent", s.attempts())
			}
		})
	}
}

func TestUsersHTTPClientIsNeverChanged(t *testing.T) {
	s := newScript(responds(302, "", "Location", "https://elsewhere.example/"))
	asked := false
	hc := &http.Client{
		Transport:     s,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { asked = true; return nil },
	}
	before := *hc
	c, err := client.New(testKey, client.WithHTTPClient(hc))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ValidateLinkToken(t.Context(), testToken)
	if got := asResponse(t, err).StatusCode; got != 302 {
		t.Errorf("got status %d, want 302", got)
	}
	if asked {
		t.Error("the user's CheckRedirect was asked")
	}
	if hc.Transport != before.Transport || hc.Timeout != before.Timeout || hc.CheckRedirect == nil || hc.Jar != nil {
		t.Errorf("the http.Client was changed: %+v", hc)
	}
	hc.Transport = roundTripFunc(func(*http.Request) (*http.Response, error) { panic("the copy was not a copy") })
	_, _ = c.ValidateLinkToken(t.Context(), testToken)
}

// Every token that is not refused reaches a real server as one path segment
// that decodes to the same bytes.
func FuzzLinkTokenPath(f *testing.F) {
	for _, seed := range []string{
		testToken, "a", "...", "....", "%2e%2e", "%2F", "%", "%zz", "a b", "a+b", "a%20b", "?q=1", "#f", "a;b,c", "a:b@c",
		"*", "!$&'()=~", "é", "日本語", "\u202e", "\ufeff", "😀", `"<>`, "{token}", "%s%d", "[::1]", "a=b&c", "/", `\`, "..", "\x00", "\xff",
	} {
		f.Add(seed)
	}
	var path atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path.Store([2]string{r.URL.Path, r.RequestURI})
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(validated))
	}))
	f.Cleanup(server.Close)
	c, err := client.New(testKey, client.WithBaseURL(server.URL+"/base"))
	if err != nil {
		f.Fatal(err)
	}
	const prefix = "/base/api/v1/link-token/"
	f.Fuzz(func(t *testing.T, token string) {
		path.Store([2]string{})
		_, err := c.ValidateLinkToken(t.Context(), token)
		got := path.Load().([2]string)
		bad := token == "" || token == "." || token == ".." || len(token) > 4<<10 || !utf8.ValidString(token) ||
			strings.ContainsAny(token, `/\`) || strings.ContainsFunc(token, unicode.IsControl)
		if bad {
			if !errors.Is(err, client.ErrInvalidArgument) || got[0] != "" {
				t.Fatalf("%q: got %v and a request for %q, want it refused", token, err, got[0])
			}
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", token, err)
		}
		if got[0] != prefix+token {
			t.Fatalf("%q arrived as %q", token, got[0])
		}
		if segment := strings.TrimPrefix(got[1], prefix); strings.ContainsAny(segment, "/?#") {
			t.Fatalf("%q was sent as %q, which is more than a path segment", token, segment)
		}
	})
}
