package readme_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

// README.md shows linkToken, usage, retryAfter and TestUsage.

// linkToken responds with a link token for the customer who is signed in.
func linkToken(c *client.Client, customerID func(*http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, err := c.GenerateLinkToken(r.Context(), client.GenerateLinkTokenRequest{
			CustomerID:  customerID(r),
			WorkspaceID: "workspace_1",
		})
		if err != nil {
			slog.ErrorContext(r.Context(), "no link token", "error", err) // shows no secret
			linkauth.FailureOf(r.Context(), err).Write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(token)
	}
}

// usage responds with figures for the customer whose link token the request has.
func usage(c *client.Client) http.Handler {
	return linkauth.New(c).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, _ := linkauth.FromContext(r.Context())
		fmt.Fprintf(w, "%s made 42 requests", v.CustomerID)
	}))
}

// retryAfter returns how long Oneloop asks callers to wait, or 0.
func retryAfter(err error) time.Duration {
	var response *client.ErrorResponse
	if errors.Is(err, client.ErrRateLimited) && errors.As(err, &response) {
		return response.RetryAfter
	}
	return 0
}

func TestUsage(t *testing.T) {
	api := clienttest.NewAPI()
	c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	token := api.Issue("ada", "workspace_1") // as if it had been generated
	for _, want := range []string{"200 ada made 42 requests", "401 Unauthorized\n"} {
		r := httptest.NewRequest("GET", "/usage", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		usage(c).ServeHTTP(w, r)
		if got := fmt.Sprint(w.Code, " ", w.Body); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		api.Advance(time.Hour) // the token expires
	}
}

func TestLinkToken(t *testing.T) {
	api := clienttest.NewAPI()
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		t.Fatal(err)
	}
	handler := linkToken(c, func(*http.Request) string { return "ada" })
	post := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/link-token", nil))
		return w
	}

	w := post()
	var page struct{ Token string } // what the page reads
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatal(err)
	}
	v, err := c.ValidateLinkToken(t.Context(), page.Token)
	if err != nil || !v.Valid || v.CustomerID != "ada" {
		t.Errorf("the token stands for %+v, %v, want customer ada", v, err)
	}
	want := http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}
	if got := w.Header(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the header is %v, want %v", got, want)
	}

	api.Queue(clienttest.StatusRetryAfter(http.StatusTooManyRequests, time.Minute))
	if w := post(); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "60" {
		t.Errorf("with a 429 from Oneloop: got %d %v, want 503 with Retry-After: 60", w.Code, w.Header())
	}
}

func TestRetryAfter(t *testing.T) {
	for name, test := range map[string]struct {
		fault clienttest.Fault
		want  time.Duration
	}{
		"too many requests": {clienttest.StatusRetryAfter(429, time.Minute), time.Minute},
		"another error":     {clienttest.StatusRetryAfter(401, time.Minute), 0},
		"success":           {clienttest.Delay(0), 0},
	} {
		api := clienttest.NewAPI()
		c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
		if err != nil {
			t.Fatal(err)
		}
		api.Queue(test.fault)
		_, err = c.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "ada", WorkspaceID: "workspace_1"})
		if got := retryAfter(err); got != test.want {
			t.Errorf("%s: got %v for %v, want %v", name, got, err, test.want)
		}
	}
}
