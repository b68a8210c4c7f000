package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// tokenAlphabet has all characters that a path segment may contain unescaped (pchar
// in RFC 3986).
const tokenAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@"

const longestToken = 2048

func goodTokens() map[string]string {
	tokens := map[string]string{
		"the alphabet":    tokenAlphabet,
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
		"C1 control":         "lt_\u0085",
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
			tokens[fmt.Sprintf("%q at the start", char)] = char + "lt_1"
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
		t.Run(name, func(t *testing.T) {
			validation, err := c.ValidateLinkToken(t.Context(), token)
			checkRejected(t, err, client.ErrInvalidLinkToken, "linkToken", token)
			if validation != nil || errors.Is(err, client.ErrInvalidArgument) {
				t.Errorf("got %v, %v, want no result and no ErrInvalidArgument", validation, err)
			}
		})
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests were sent for rejected tokens", requests.Load())
	}
}

// GenerateLinkToken must report a token that could never be validated, so that the
// incompatibility is noticed before a user has such a token.
func TestGeneratedLinkTokenAlphabet(t *testing.T) {
	t.Parallel()
	generates := func(token string) roundTripFunc {
		literal, err := json.Marshal(token)
		if err != nil {
			t.Fatal(err)
		}
		return responds(200, withField(t, generated, "token", string(literal)))
	}
	for name, token := range goodTokens() {
		got, err := newClient(t, via(generates(token))).GenerateLinkToken(t.Context(), testRequest)
		if err != nil || got.Token != token {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, token := range badTokens() {
		t.Run(name, func(t *testing.T) {
			err := malformed(t, generate, "token", generates(token))
			checkRejected(t, err, client.ErrMalformedResponse, "token", token)
		})
	}
}

// A token that is not rejected must reach the server as one path segment, and
// decode to the same bytes.
func FuzzLinkTokenPath(f *testing.F) {
	for _, seed := range []string{
		testToken, tokenAlphabet, "a", "...", "....", "%2e%2e", "%2F", "%", "%zz", "a b", "a+b", "a%20b", "?q=1", "#f", "a;b,c", "a:b@c",
		"*", "!$&'()=~", "é", "日本語", "\u202e", "\ufeff", "😀", `"<>`, "{token}", "%s%d", "[::1]", "a=b&c", "/", `\`, "..", "\x00", "\xff",
	} {
		f.Add(seed)
	}
	var path atomic.Value
	server := serve(f, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path.Store([2]string{r.URL.Path, r.RequestURI})
		respondOK(w, r)
	}))
	c := newClient(f, client.WithBaseURL(server.URL+"/base"))
	const prefix = "/base/api/v1/link-token/"
	f.Fuzz(func(t *testing.T, token string) {
		path.Store([2]string{})
		_, err := c.ValidateLinkToken(t.Context(), token)
		got := path.Load().([2]string)
		if token == "" || token == "." || token == ".." || len(token) > longestToken || strings.Trim(token, tokenAlphabet) != "" {
			if !errors.Is(err, client.ErrInvalidLinkToken) || got[0] != "" {
				t.Fatalf("%q: got %v and a request for %q, want ErrInvalidLinkToken and no request", token, err, got[0])
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
			t.Fatalf("%q was sent as %q, which is not a single path segment", token, segment)
		}
	})
}
