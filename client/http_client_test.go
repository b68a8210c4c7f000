package client_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestHTTPClientNotModified(t *testing.T) {
	t.Parallel()
	s := newScript(responds(302, "", "Location", "https://elsewhere.example/"))
	called := false
	hc := &http.Client{
		Transport:     s,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { called = true; return nil },
	}
	before := *hc
	c := newClient(t, client.WithHTTPClient(hc))
	_, err := validate.call(t.Context(), c)
	if got := asResponse(t, err).StatusCode; got != 302 {
		t.Errorf("got status %d, want 302", got)
	}
	if called {
		t.Error("CheckRedirect was called")
	}
	if hc.Transport != before.Transport || hc.Timeout != before.Timeout || hc.CheckRedirect == nil || hc.Jar != nil {
		t.Errorf("the http.Client was changed: %+v", hc)
	}
	hc.Transport = roundTripFunc(func(*http.Request) (*http.Response, error) {
		panic("the Client uses the http.Client itself, not a copy")
	})
	_, _ = validate.call(t.Context(), c)
}

// The Jar of an http.Client adds its cookies once to each attempt.
func TestCookieJar(t *testing.T) {
	t.Parallel()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, err := url.Parse(client.DefaultBaseURL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(base, []*http.Cookie{{Name: "a", Value: "1"}})
	s := newScript(responds(503, ""), responds(503, ""), responds(200, validated))
	c := newClient(t, client.WithHTTPClient(&http.Client{Transport: s, Jar: jar}), quick)
	if _, err := validate.call(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for i, req := range s.requests {
		if got := req.Header["Cookie"]; len(got) != 1 || got[0] != "a=1" {
			t.Errorf("attempt %d sent cookies %q, want a=1 once", i+1, got)
		}
	}
}
