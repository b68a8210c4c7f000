package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"encoding/json"

	"github.com/oneloop-ai/oneloop-go/client"
)

// tokenAlphabet has all characters that a path segment may contain unescaped (pchar
// in RFC 3986).
const tokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@"

const longestToken = 2048

func goodTokens() map[string]string {
	tokens := map[string]string{
		"the alphabet":    tokenAlphabet,
		"the longest":     strings.Repeat("t", longestToken),
		"three dots":      "...",
		"dots inside":     "a..b",
		"begins with dot": ".a",
	}
	for _, char := range tokenAlphabet {
		if char != '.' { // "." is not a valid token
			tokens[fmt.Sprintf("%q", char)] = string(char)
		}
		tokens[fmt.Sprintf("%q, 2,048 times", char)] = strings.Repeat(string(char), longestToken)
	}
	return tokens
}

func badTokens() map[string]string {
	tokens := map[string]string{
		"empty":              "",
		"dot":                ".",
		"dots":               "..",
		"too long":           strings.Repeat("t", longestToken+1),
		"4 KiB of %":         strings.Repeat("%", 4<<10),
		"%2e%2e":             "%2e%2e",
		"%2e%2e%2fadmin":     "%2e%2e%2fadmin",
		"%252e%252e":         "%252e%252e",
		"é":                  "lt_é",
		"a fullwidth dot":    "\uff0e\uff0e",
		"U+2028":             "lt_\u2028",
		"U+FFFD":             "lt_\ufffd",
		"a lone surrogate":   "lt_\xed\xa0\x80",
		"a dot segment's ..": "../link-token",
	}
	for b := range 256 {
		if char := string([]byte{byte(b)}); !strings.Contains(tokenAlphabet, char) {
			tokens[fmt.Sprintf("%q alone", char)] = char
			tokens[fmt.Sprintf("%q inside", char)] = "lt_" + char + "1"
			tokens[fmt.Sprintf("%q at the end", char)] = "lt_" + char
		}
	}
	return tokens
}

// Escaping must not lengthen the path: a server that refuses a long path may close
// the HTTP/2 connection that all calls share. Nor may a token lead to another path,
// however often a gateway decodes it.
func TestLinkTokenAlphabet(t *testing.T) {
	t.Parallel()
	const prefix = "/api/v1/link-token/"
	var requests atomic.Int64
	var path, uri string // of the last request; calls come one after another
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		path, uri = r.URL.Path, r.RequestURI
		respondOK(w, r)
	}))
	c := newClient(t, client.WithBaseURL(server.URL), quick)
	for name, token := range goodTokens() {
		if _, err := c.ValidateLinkToken(t.Context(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if path != prefix+token || len(uri) >= 8<<10 {
			t.Errorf("%s: sent as a path of %d bytes: %.200s", name, len(uri), uri)
		}
	}
	requests.Store(0)
	for name, token := range badTokens() {
		_, err := c.ValidateLinkToken(t.Context(), token)
		if !errors.Is(err, client.ErrInvalidLinkToken) {
			t.Errorf("%s: got %v, want ErrInvalidLinkToken", name, err)
		} else if len(token) > 1 && token != ".." && strings.Contains(err.Error(), token) {
			t.Errorf("%s: %q shows the token", name, err)
		}
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests were sent for refused tokens", requests.Load())
	}
}

// GenerateLinkToken must report a token that could never be validated, so that the
// incompatibility is noticed before a user has such a token.
func TestGeneratedLinkTokenAlphabet(t *testing.T) {
	t.Parallel()
	respondWith := func(token string) *script {
		body, err := json.Marshal(map[string]any{"token": token, "expiresAt": 1893456000})
		if err != nil {
			t.Fatal(err)
		}
		return newScript(responds(200, string(body)))
	}
	for name, token := range goodTokens() {
		got, err := newClient(t, via(respondWith(token)), quick).GenerateLinkToken(t.Context(), testRequest)
		if err != nil || got.Token != token {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, token := range badTokens() {
		s := respondWith(token)
		got, err := newClient(t, via(s), quick).GenerateLinkToken(t.Context(), testRequest)
		if got != nil || !errors.Is(err, client.ErrMalformedResponse) {
			t.Errorf("%s: got %v, want ErrMalformedResponse", name, err)
		} else if len(token) > 2 && strings.Contains(err.Error(), token) {
			t.Errorf("%s: %q shows the token", name, err)
		}
		if s.attempts() != 1 {
			t.Errorf("%s: %d attempts, want 1", name, s.attempts())
		}
	}
}
