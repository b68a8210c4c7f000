package readme_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

// README.md shows these functions.

// newHandler exchanges a link token for a session of your own.
func newHandler(c *client.Client) http.Handler {
	exchange := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, _ := linkauth.FromContext(r.Context())
		// Start a session here, and set its cookie.
		fmt.Fprintf(w, "Welcome, %s of %s.", v.CustomerID, v.WorkspaceID)
	})
	mux := http.NewServeMux()
	mux.Handle("POST /session", linkauth.New(c).Wrap(exchange))
	return mux
}

func TestExpiredToken(t *testing.T) {
	api := clienttest.NewAPI()
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		t.Fatal(err)
	}
	ada := client.GenerateLinkTokenRequest{CustomerID: "ada", WorkspaceID: "engines"}
	token, err := c.GenerateLinkToken(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"200 Welcome, ada of engines.", "401 Unauthorized\n"} {
		r := httptest.NewRequest("POST", "/session", nil)
		r.Header.Set("Authorization", "Bearer "+token.Token)
		w := httptest.NewRecorder()
		newHandler(c).ServeHTTP(w, r)
		if got := fmt.Sprint(w.Code, " ", w.Body); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		api.Advance(time.Hour) // the token expires
	}
}
