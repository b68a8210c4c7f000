package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// The fake API. The client is real: it builds requests and reads responses. The fake
// keeps state, and can be made to fail. Use it unless you have a reason not to.

func TestWithFake(t *testing.T) {
	api := clienttest.NewAPI()
	c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if w := ask(newHandler(c)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"token":`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if got := api.Requests()[0]; got.WorkspaceID != "engines" {
		t.Errorf("Oneloop received %+v, want workspace engines", got)
	}
}

func TestWithFailingFake(t *testing.T) {
	api := clienttest.NewAPI()
	c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
	for status, want := range map[int]int{400: 500, 401: 503, 429: 503, 500: 503} {
		api.Queue(clienttest.Status(status))
		if w := ask(newHandler(c)); w.Code != want {
			t.Errorf("Oneloop's %d: got %d, want %d", status, w.Code, want)
		}
	}
}
