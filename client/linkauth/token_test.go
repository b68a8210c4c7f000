package linkauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

func TestTokenFromHeader(t *testing.T) {
	for name, test := range map[string]struct {
		headers []string
		want    string // the token that the validator receives; "" if it must not be called
	}{
		"bearer":                {[]string{"Bearer lt_1"}, "lt_1"},
		"lower case":            {[]string{"bearer lt_1"}, "lt_1"},
		"upper case":            {[]string{"BEARER lt_1"}, "lt_1"},
		"extra space":           {[]string{"Bearer \t lt_1 \t"}, "lt_1"},
		"two words":             {[]string{"Bearer lt_1 lt_2"}, "lt_1 lt_2"}, // the client rejects it
		"no header":             {nil, ""},
		"empty header":          {[]string{""}, ""},
		"another scheme":        {[]string{"Basic lt_1"}, ""},
		"longer scheme":         {[]string{"Bearers lt_1"}, ""},
		"no scheme":             {[]string{"lt_1"}, ""},
		"only the scheme":       {[]string{"Bearer"}, ""},
		"only white space":      {[]string{"Bearer  \t "}, ""},
		"tab after the scheme":  {[]string{"Bearer\tlt_1"}, ""},
		"two headers":           {[]string{"Bearer lt_1", "Bearer lt_2"}, ""},
		"two headers, the same": {[]string{"Bearer lt_1", "Bearer lt_1"}, ""},
		"two headers, one not bearer": {[]string{
			"Basic dXNlcjpwYXNz", "Bearer lt_1",
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			m := linkauth.New(validatorFunc(func(_ context.Context, linkToken string) (*client.LinkTokenValidation, error) {
				got = linkToken
				return &ada, nil
			}))
			w := serve(m, request(test.headers...))
			if got != test.want {
				t.Errorf("the validator received %q, want %q", got, test.want)
			}
			if test.want == "" {
				wantFailure(t, w, http.StatusUnauthorized, noToken, "")
			} else if w.Code != http.StatusOK || w.Body.String() != "welcome ada true" {
				t.Errorf("got %d %q", w.Code, w.Body)
			}
		})
	}
}

func TestWithToken(t *testing.T) {
	m := linkauth.New(always(&ada, nil), linkauth.WithToken(func(r *http.Request) string { return r.Header.Get("X-Link-Token") }))
	wantFailure(t, serve(m, request("Bearer lt_1")), http.StatusUnauthorized, noToken, "")
	r := request()
	r.Header.Set("X-Link-Token", " \t ")
	wantFailure(t, serve(m, r), http.StatusUnauthorized, noToken, "")
	r.Header.Set("X-Link-Token", " lt_1 ")
	if w := serve(m, r); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
}

func TestLaterOptionWins(t *testing.T) {
	none := linkauth.WithToken(func(*http.Request) string { return "" })
	some := linkauth.WithToken(func(*http.Request) string { return "lt_1" })
	if w := serve(linkauth.New(always(&ada, nil), none, some), request()); w.Code != http.StatusOK {
		t.Errorf("got %d", w.Code)
	}
}

// oneToken is a fake of Oneloop that knows a single link token.
type oneToken struct{}

func (oneToken) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.EscapedPath() == "/api/v1/link-token/lt_good" {
		fmt.Fprint(w, `{"valid":true,"expiresAt":4102444800,"workspaceId":"engines","customerId":"ada"}`)
	} else {
		w.WriteHeader(http.StatusBadRequest)
	}
	return w.Result(), nil
}

// FuzzAuthorization uses a real Client and arbitrary Authorization headers. Only the
// one link token may be admitted. All other headers must result in a 401.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{
		"Bearer lt_good", "bearer   lt_good\t", "Bearer lt_goo", "Bearer", "", "Basic lt_good", "Bearer ../lt_good",
		"Bearer lt_good?", "Bearer lt%5fgood", "Bearer \xff", "Bearer\u00a0lt_good", "Bearer lt_good,Bearer lt_good", "Bearer \u2028lt_good",
	} {
		f.Add(seed)
	}
	c, err := client.New("sdk_1", client.WithHTTPClient(&http.Client{Transport: oneToken{}}))
	if err != nil {
		f.Fatal(err)
	}
	m := linkauth.New(c)
	f.Fuzz(func(t *testing.T, header string) {
		w := serve(m, request(header))
		scheme, token, _ := strings.Cut(header, " ")
		token = strings.TrimSpace(token)
		switch {
		case !strings.EqualFold(scheme, "Bearer") || token == "":
			wantFailure(t, w, http.StatusUnauthorized, noToken, "")
		case token != "lt_good":
			wantFailure(t, w, http.StatusUnauthorized, invalidToken, "")
		case w.Code != http.StatusOK:
			t.Errorf("%q: got status %d, want 200", header, w.Code)
		}
	})
}
