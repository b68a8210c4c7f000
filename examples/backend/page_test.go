package main

import (
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
		"template":     {"/index.html", http.StatusNotFound, "text/plain"},
		"other method": {"/link-token", http.StatusMethodNotAllowed, "text/plain"},
		"no fake":      {"/_fake/requests", http.StatusNotFound, "text/plain"},
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
		})
	}
}

// TestPagePolicy looks for content that the policy forbids. Browsers would ignore it
// silently.
func TestPagePolicy(t *testing.T) {
	for _, fake := range []bool{false, true} {
		for _, forbidden := range []string{"<script>", "<style", "style=", "onclick", "http://", "https://", "unsafe-"} {
			if strings.Contains(string(newPage(fake))+contentSecurityPolicy, forbidden) {
				t.Errorf("the page or its policy contains %q", forbidden)
			}
		}
	}
}

func TestPageMentionsFake(t *testing.T) {
	for _, fake := range []bool{false, true} {
		page := string(newPage(fake))
		for _, text := range []string{"This runs on a fake API", `id="revoke"`, `id="expire"`, `id="outage"`} {
			if strings.Contains(page, text) != fake {
				t.Errorf("fake is %t, but the page contains %q: %t", fake, text, !fake)
			}
		}
	}
}

func TestCookies(t *testing.T) {
	for name, test := range map[string]struct {
		url, forwarded string
		secure         bool
	}{
		"plain http":                {"http://example.com/", "", false},
		"https":                     {"https://example.com/", "", true},
		"behind a TLS proxy":        {"http://example.com/", "https", true},
		"uppercase HTTPS":           {"http://example.com/", "HTTPS", true},
		"behind a plain http proxy": {"http://example.com/", "http", false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, clienttest.SDKKey)
			for path, request := range map[string]*http.Request{
				"":        httptest.NewRequest(http.MethodGet, test.url, nil),
				"session": httptest.NewRequest(http.MethodPost, test.url+"session", nil),
			} {
				if path == "session" {
					request.Header.Set("Authorization", "Bearer "+f.linkToken().Token)
				}
				if test.forwarded != "" {
					request.Header.Set("X-Forwarded-Proto", test.forwarded)
				}
				cookies := f.do(request).Cookies()
				if len(cookies) != 1 {
					t.Fatalf("/%s set %d cookies, want 1", path, len(cookies))
				}
				if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure != test.secure {
					t.Errorf("/%s set %v", path, c)
				}
			}
		})
	}
}
