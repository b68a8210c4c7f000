package clienttest_test

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

var request = client.GenerateLinkTokenRequest{CustomerID: "c1", WorkspaceID: "w1", ExternalBillingID: "b1"}

// once disables retries, so that tests see each response.
var once = client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1})

func newClient(tb testing.TB, api *clienttest.API, opts ...client.Option) *client.Client {
	tb.Helper()
	c, err := client.New(clienttest.SDKKey, append([]client.Option{client.WithHTTPClient(api.HTTPClient())}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// bothWays runs test twice: in memory and on a socket.
func bothWays(t *testing.T, test func(t *testing.T, api *clienttest.API, c *client.Client)) {
	t.Helper()
	t.Run("in memory", func(t *testing.T) {
		api := clienttest.NewAPI()
		test(t, api, newClient(t, api, once))
	})
	t.Run("on a socket", func(t *testing.T) {
		api := clienttest.NewAPI()
		server := httptest.NewServer(api)
		defer server.Close()
		c, err := client.New(clienttest.SDKKey, client.WithBaseURL(server.URL), once)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseIdleConnections()
		test(t, api, c)
	})
}

func mustGenerate(t *testing.T, c *client.Client) *client.LinkToken {
	t.Helper()
	token, err := c.GenerateLinkToken(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// send sends a request that package client would not send.
func send(t *testing.T, api *clienttest.API, method, path, authorization, contentType, body string) (int, string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, req)
	var rejection struct {
		Error struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &rejection); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	if w.Code != 200 && (rejection.Error.Code != w.Code || rejection.Error.Message == "") {
		t.Errorf("%s %s: got %d %s, want the API's error format", method, path, w.Code, w.Body)
	}
	return w.Code, rejection.Error.Message
}

// status returns the status of the response that a call received: 200 if err is nil,
// and 0 if there was no response.
func status(err error) int {
	var e *client.ErrorResponse
	switch {
	case err == nil:
		return 200
	case errors.As(err, &e):
		return e.StatusCode
	}
	return 0
}
