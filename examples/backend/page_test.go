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
		"template":     {"/index.html", http.StatusMovedPermanently, ""},
		"other method": {"/link-token", http.StatusNotFound, "text/plain"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := newFixture(t).do(httptest.NewRequest(http.MethodGet, test.path, nil))
			if resp.StatusCode != test.status {
				t.Errorf("got status %d, want %d", resp.StatusCode, test.status)
			}
			if got := resp.Header.Get("Content-Type"); !strings.Contains(got, test.contentType) {
				t.Errorf("got %q, want %q", got, test.contentType)
			}
		})
	}
}

func TestPageWithoutFake(t *testing.T) {
	api := clienttest.NewAPI()
	c, err := newClient(api, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, fake := range map[string]*clienttest.API{"fake": api, "Oneloop": nil} {
		t.Run(name, func(t *testing.T) {
			send := func(method, path string) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				newBackend(c, "workspace_1", fake).ServeHTTP(w, httptest.NewRequest(method, path, nil))
				return w
			}
			page, err := io.ReadAll(send(http.MethodGet, "/").Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"This runs on a fake API", `id="revoke"`, `id="outage"`} {
				if strings.Contains(string(page), text) != (fake != nil) {
					t.Errorf("the page contains %q: %t", text, fake == nil)
				}
			}
			// The policy forbids these, and browsers ignore them silently.
			for _, forbidden := range []string{"<script>", "<style", "style=", "onclick", "http://", "https://"} {
				if strings.Contains(string(page), forbidden) {
					t.Errorf("the page contains %q", forbidden)
				}
			}
			if got := send(http.MethodPost, "/fake/works").Code; (got == http.StatusOK) != (fake != nil) {
				t.Errorf("the control endpoint responds with %d", got)
			}
		})
	}
}

func TestCookie(t *testing.T) {
	cookies := newFixture(t).do(httptest.NewRequest(http.MethodGet, "/", nil)).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("got %d cookies, want 1", len(cookies))
	}
	if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("got %v", c)
	}
}
