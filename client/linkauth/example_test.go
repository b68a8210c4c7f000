package linkauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

// newClient returns a Client that calls a fake API. A real program does not use
// WithHTTPClient.
func newClient(api *clienttest.API) *client.Client {
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		panic(err)
	}
	return c
}

func newLinkToken(c *client.Client) string {
	token, err := c.GenerateLinkToken(context.Background(), client.GenerateLinkTokenRequest{
		CustomerID:  "customer_1",
		WorkspaceID: "workspace_1",
	})
	if err != nil {
		panic(err)
	}
	return token.Token
}

// send sends a POST with an Authorization header and prints the response.
func send(handler http.Handler, path, authorization string) {
	r := httptest.NewRequest(http.MethodPost, path, nil)
	r.Header.Set("Authorization", authorization)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Printf("%d %s\n", w.Code, w.Body.String())
}

// One route exchanges the link token for a session of the backend. The session
// admits all other requests.
func Example() {
	api := clienttest.NewAPI()
	c := newClient(api)
	exchange := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, _ := linkauth.FromContext(r.Context())
		// Here, start a session for v.CustomerID in v.WorkspaceID and set its cookie.
		fmt.Fprintf(w, "%s in %s", v.CustomerID, v.WorkspaceID)
	})

	m := linkauth.New(c)
	mux := http.NewServeMux()
	mux.Handle("POST /session", m.Wrap(exchange))

	token := newLinkToken(c)
	send(mux, "/session", "Bearer "+token)
	send(mux, "/session", "")
	api.Revoke(token)
	send(mux, "/session", "Bearer "+token)
	// Output:
	// 200 customer_1 in workspace_1
	// 401 Unauthorized
	//
	// 401 Unauthorized
}

// The link token is in a custom header.
func ExampleWithToken() {
	c := newClient(clienttest.NewAPI())
	m := linkauth.New(c, linkauth.WithToken(func(r *http.Request) string {
		return r.Header.Get("X-Link-Token")
	}))

	r := httptest.NewRequest(http.MethodPost, "/session", nil)
	r.Header.Set("X-Link-Token", newLinkToken(c))
	w := httptest.NewRecorder()
	m.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 200
}

// The program logs the failure and responds with JSON.
func ExampleWithFailure() {
	m := linkauth.New(newClient(clienttest.NewAPI()), linkauth.WithFailure(
		func(w http.ResponseWriter, _ *http.Request, f linkauth.Failure) {
			fmt.Println("log:", f.Status, f.Err)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(f.Status)
			fmt.Fprint(w, `{"error":"not admitted"}`)
		}))

	send(m.Wrap(http.NotFoundHandler()), "/session", "")
	// Output:
	// log: 401 linkauth: no link token
	// 401 {"error":"not admitted"}
}

// A handler generates link tokens. If Oneloop rejects the request, that is a bug in the
// program and not the caller's fault.
func ExampleFailureOf() {
	api := clienttest.NewAPI()
	c := newClient(api)
	generate := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := c.GenerateLinkToken(r.Context(), client.GenerateLinkTokenRequest{
			CustomerID:  "customer_1",
			WorkspaceID: r.URL.Query().Get("workspace"),
		})
		if err != nil {
			linkauth.FailureOf(r.Context(), err).Write(w)
			return
		}
		fmt.Fprint(w, token.Token != "")
	})

	send(generate, "/?workspace=workspace_1", "")
	send(generate, "/", "") // without a workspace: ErrInvalidArgument
	api.Queue(clienttest.StatusRetryAfter(429, time.Hour))
	send(generate, "/?workspace=workspace_1", "")
	// Output:
	// 200 true
	// 500 Internal Server Error
	//
	// 503 Service Unavailable
}

// A handler responds with JSON to errors, too.
func ExampleFailure_SetHeaders() {
	c := newClient(clienttest.NewAPI())
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := c.ValidateLinkToken(r.Context(), r.Header.Get("Authorization"))
		if err != nil || !v.Valid {
			f := linkauth.FailureOf(r.Context(), err)
			f.SetHeaders(w.Header())
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(f.Status)
			_ = json.NewEncoder(w).Encode(map[string]any{"status": f.Status})
			return
		}
		fmt.Fprint(w, "usage of ", v.CustomerID)
	})

	send(handler, "/usage", "lt_unknown")
	// Output: 401 {"status":401}
}

// A test of a handler adds the identity to the context.
func ExampleNewContext() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		v, _ := linkauth.FromContext(r.Context())
		fmt.Fprintf(w, "Hello, %s.", v.CustomerID)
	}

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r = r.WithContext(linkauth.NewContext(r.Context(), client.LinkTokenValidation{CustomerID: "customer_1"}))
	w := httptest.NewRecorder()
	handler(w, r)
	fmt.Println(w.Body)
	// Output: Hello, customer_1.
}
