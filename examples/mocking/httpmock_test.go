package main

import (
	"net/http"
	"testing"

	"github.com/jarcoal/httpmock"

	"github.com/oneloop-ai/oneloop-go/client"
)

// jarcoal/httpmock, for projects that already mock all HTTP requests with it. You
// write Oneloop's responses yourself and keep them up to date.

const response = `{"token":"lt_1","expiresAt":1893456000}`

func TestWithHTTPMock(t *testing.T) {
	httpmock.Activate(t)
	httpmock.RegisterResponder("POST", client.DefaultBaseURL+"/api/v1/link-token",
		httpmock.NewStringResponder(200, response).HeaderSet(http.Header{"Content-Type": {"application/json"}}))
	c, _ := client.New("sdk_any")
	if w := ask(newHandler(c)); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestWithHTTPMockForOneClient(t *testing.T) {
	hc := &http.Client{}
	httpmock.ActivateNonDefault(hc)
	t.Cleanup(httpmock.DeactivateAndReset)
	httpmock.RegisterResponder("POST", `=~/api/v1/link-token$`, httpmock.NewStringResponder(403, ""))
	c, _ := client.New("sdk_any", client.WithHTTPClient(hc))
	if w := ask(newHandler(c)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
