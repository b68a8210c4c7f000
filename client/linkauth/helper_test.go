package linkauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

const (
	noToken      = `Bearer realm="link token"`
	invalidToken = `Bearer realm="link token", error="invalid_token"`

	// secret represents text from Oneloop, which callers must not see.
	secret = "oneloop-internal-detail"
)

var ada = client.LinkTokenValidation{
	Valid:             true,
	ExpiresAt:         time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	WorkspaceID:       "engines",
	CustomerID:        "ada",
	ExternalBillingID: "billing_1",
}

// A validatorFunc is a function that implements Validator.
type validatorFunc func(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error)

func (f validatorFunc) ValidateLinkToken(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error) {
	return f(ctx, linkToken)
}

func always(v *client.LinkTokenValidation, err error) linkauth.Validator {
	return validatorFunc(func(context.Context, string) (*client.LinkTokenValidation, error) { return v, err })
}

// failing returns a Validator that returns err together with a valid validation, which
// must not count.
func failing(err error) linkauth.Validator { return always(&ada, err) }

func request(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/usage", nil)
	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}
	return r
}

// welcome responds with the customer from the context.
var welcome = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	v, ok := linkauth.FromContext(r.Context())
	fmt.Fprint(w, "welcome ", v.CustomerID, " ", ok)
})

func serve(m *linkauth.Middleware, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	m.Wrap(welcome).ServeHTTP(w, r)
	return w
}

// wantFailure checks the response to a request that was not admitted.
func wantFailure(tb testing.TB, w *httptest.ResponseRecorder, status int, challenge, retryAfter string) {
	tb.Helper()
	if w.Code != status {
		tb.Errorf("got status %d, want %d", w.Code, status)
	}
	for name, want := range map[string]string{
		"Www-Authenticate": challenge,
		"Retry-After":      retryAfter,
		"Cache-Control":    "no-store",
	} {
		if got := strings.Join(w.Header().Values(name), " and "); got != want {
			tb.Errorf("got %s %q, want %q", name, got, want)
		}
	}
	if got, want := w.Body.String(), http.StatusText(status)+"\n"; got != want {
		tb.Errorf("got body %q, want %q", got, want)
	}
	if all := fmt.Sprint(w.Header(), w.Body); strings.Contains(all, secret) || strings.Contains(all, "lt_") {
		tb.Errorf("the response contains a secret: %s", all)
	}
}
