package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// The fake API: the client is real, so requests are built and responses are
// read; link tokens have state, and faults come on demand. Use this one unless
// you have a reason not to.

func TestWithTheFake(t *testing.T) {
	api := clienttest.NewAPI()
	c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if w := ask(newHandler(c)); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"token":`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if got := api.Requests()[0]; got.WorkspaceID != "engines" {
		t.Errorf("Oneloop got %+v", got)
	}
}

func TestWithTheFakeInTrouble(t *testing.T) {
	api := clienttest.NewAPI()
	c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
	for status, want := range map[int]int{400: 500, 401: 503, 429: 503, 500: 503} {
		api.Queue(clienttest.Status(status))
		if w := ask(newHandler(c)); w.Code != want {
			t.Errorf("after %d got %d, want %d", status, w.Code, want)
		}
	}
}
