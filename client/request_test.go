package client_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestBaseURLWithPath(t *testing.T) {
	t.Parallel()
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
			c, err := client.New(testKey, client.WithBaseURL(base), via(s))
			if want == "" {
				checkRejected(t, err, client.ErrInvalidArgument, "WithBaseURL", base)
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

func TestLongestLinkToken(t *testing.T) {
	t.Parallel()
	server := serve(t, http.HandlerFunc(respondOK))
	c := newClient(t, client.WithBaseURL(server.URL), quick)
	if _, err := c.ValidateLinkToken(t.Context(), strings.Repeat("t", 2048)); err != nil {
		t.Error(err)
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

// A token that is not refused must reach the server as one path segment, and
// decode to the same bytes.
func FuzzLinkTokenPath(f *testing.F) {
	for _, seed := range []string{
		testToken, linkTokenCharacters, "a", "...", "....", "%2e%2e", "%2F", "%", "%zz", "a b", "a+b", "a%20b", "?q=1", "#f", "a;b,c", "a:b@c",
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
		bad := token == "" || token == "." || token == ".." || len(token) > 2048 || strings.Trim(token, linkTokenCharacters) != ""
		if bad {
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
