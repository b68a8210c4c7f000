package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func TestPage(t *testing.T) {
	for name, test := range map[string]struct {
		path        string
		status      int
		contentType string
	}{
		"page":         {"/", http.StatusOK, "text/html"},
		"style sheet":  {"/page.css", http.StatusOK, "text/css"},
		"script":       {"/page.js", http.StatusOK, "javascript"},
		"unknown path": {"/nope", http.StatusNotFound, "text/plain"},
		"source":       {"/main.go", http.StatusNotFound, "text/plain"},
		"other method": {"/link-token", http.StatusNotFound, "text/plain"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			resp := f.do(httptest.NewRequest(http.MethodGet, test.path, nil))
			if resp.StatusCode != test.status {
				t.Errorf("got status %d, want %d", resp.StatusCode, test.status)
			}
			if got := resp.Header.Get("Content-Type"); !strings.Contains(got, test.contentType) {
				t.Errorf("got %q, want %q", got, test.contentType)
			}
			if got := resp.Header.Get("Content-Security-Policy"); got != contentSecurityPolicy {
				t.Errorf("got the policy %q", got)
			}
		})
	}
}

// TestPageKeepsPolicy has what the policy forbids, which a browser would ignore in silence.
func TestPageKeepsPolicy(t *testing.T) {
	f := newFixture(t, clienttest.SDKKey)
	resp := f.do(httptest.NewRequest(http.MethodGet, "/", nil))
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, forbidden := range []string{"<script>", "<style", "style=", "onclick", "http://", "https://", "unsafe-"} {
		if strings.Contains(string(page)+contentSecurityPolicy, forbidden) {
			t.Errorf("the page or its policy has %q", forbidden)
		}
	}
}

func TestSessionCookie(t *testing.T) {
	f := newFixture(t, clienttest.SDKKey)
	cookie := f.signIn()
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure {
		t.Errorf("got %v", cookie)
	}
	https := f.do(httptest.NewRequest(http.MethodGet, "https://example.com/", nil)).Cookies()
	if len(https) != 1 || !https[0].Secure {
		t.Errorf("over https: got %v", https)
	}
}
