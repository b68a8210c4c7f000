// Command mocking has a small HTTP handler. Its tests show three ways to test code
// that calls Oneloop: fake_test.go, httpmock_test.go and interface_test.go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

// linkTokenGenerator is the part of *client.Client that the handler uses.
type linkTokenGenerator interface {
	GenerateLinkToken(context.Context, client.GenerateLinkTokenRequest) (*client.LinkToken, error)
}

// newHandler responds to POST /workspaces/{workspace}/link-token with a link token.
func newHandler(tokens linkTokenGenerator) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /workspaces/{workspace}/link-token", func(w http.ResponseWriter, r *http.Request) {
		token, err := tokens.GenerateLinkToken(r.Context(), client.GenerateLinkTokenRequest{
			CustomerID:  "customer_1", // in a real backend, the signed-in customer
			WorkspaceID: r.PathValue("workspace"),
		})
		if err != nil {
			linkauth.FailureOf(r.Context(), err).Write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(token)
	})
	return mux
}

// main sends the handler one request. The handler uses the fake API.
func main() {
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(clienttest.NewAPI().HTTPClient()))
	if err != nil {
		fmt.Fprintln(os.Stderr, "mocking:", err)
		os.Exit(1)
	}
	w := ask(newHandler(c))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
}

// ask sends the handler a request for a link token.
func ask(handler http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/workspaces/engines/link-token", nil))
	return w
}
