package linkauth_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
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

// send sends a GET with a header, unless its value is empty, and prints the response.
func send(handler http.Handler, header, value string) {
	r := httptest.NewRequest(http.MethodGet, "/usage", nil)
	if value != "" {
		r.Header.Set(header, value)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Printf("%d %s\n", w.Code, w.Body.String())
}

// usage responds with the usage of the customer that the link token belongs to.
func usage(w http.ResponseWriter, r *http.Request) {
	v, _ := linkauth.FromContext(r.Context())
	fmt.Fprintf(w, "usage of %s in %s", v.CustomerID, v.WorkspaceID)
}

// The page that embeds Oneloop's API key manager also sends the link token to an
// endpoint of your own.
func Example() {
	api := clienttest.NewAPI() // instead of Oneloop
	c := newClient(api)

	m := linkauth.New(c)
	mux := http.NewServeMux()
	mux.Handle("GET /usage", m.Wrap(http.HandlerFunc(usage)))

	token := api.Issue("customer_1", "workspace_1")
	send(mux, "Authorization", "Bearer "+token)
	send(mux, "Authorization", "")
	api.Revoke(token)
	send(mux, "Authorization", "Bearer "+token)
	// Output:
	// 200 usage of customer_1 in workspace_1
	// 401 Unauthorized
	//
	// 401 Unauthorized
}

// The link token is in a custom header.
func ExampleWithToken() {
	api := clienttest.NewAPI()
	m := linkauth.New(newClient(api), linkauth.WithToken(func(r *http.Request) string {
		return r.Header.Get("X-Link-Token")
	}))

	send(m.Wrap(http.HandlerFunc(usage)), "X-Link-Token", api.Issue("customer_1", "workspace_1"))
	// Output: 200 usage of customer_1 in workspace_1
}

// ordinary matches what the firewall lets through. Oneloop doesn't document the format
// of link tokens, so allow more than you have seen.
var ordinary = regexp.MustCompile(`^[A-Za-z0-9._-]{1,500}$`)

// A firewall in front of Oneloop would respond with 403 to an unusual token. Nothing
// is sent for one, and the caller gets a 401 instead of a 503.
func ExampleWithToken_format() {
	api := clienttest.NewAPI()
	m := linkauth.New(newClient(api), linkauth.WithToken(func(r *http.Request) string {
		token := r.Header.Get("X-Link-Token")
		if !ordinary.MatchString(token) {
			return ""
		}
		return token
	}))

	send(m.Wrap(http.HandlerFunc(usage)), "X-Link-Token", "'OR(1=1)")
	fmt.Println(len(api.Requests()), "requests")
	// Output:
	// 401 Unauthorized
	//
	// 0 requests
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

	send(m.Wrap(http.HandlerFunc(usage)), "Authorization", "")
	// Output:
	// log: 401 linkauth: no link token
	// 401 {"error":"not admitted"}
}

// A handler generates link tokens. If it fails to name a workspace, or Oneloop rejects
// the request, that is a bug in the program and not the caller's fault.
func ExampleFailureOf() {
	api := clienttest.NewAPI()
	c := newClient(api)
	generate := func(workspaceID string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			token, err := c.GenerateLinkToken(r.Context(), client.GenerateLinkTokenRequest{
				CustomerID:  "customer_1", // who is signed in
				WorkspaceID: workspaceID,
			})
			if err != nil {
				linkauth.FailureOf(r.Context(), err).Write(w)
				return
			}
			fmt.Fprint(w, token.Token != "")
		}
	}

	send(generate("workspace_1"), "", "")
	send(generate(""), "", "")
	api.Queue(clienttest.StatusRetryAfter(429, time.Hour))
	send(generate("workspace_1"), "", "")
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
		v, err := c.ValidateLinkToken(r.Context(), r.Header.Get("X-Link-Token"))
		if err != nil || !v.Valid {
			f := linkauth.FailureOf(r.Context(), err)
			f.SetHeaders(w.Header())
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(f.Status)
			_ = json.NewEncoder(w).Encode(map[string]any{"status": f.Status})
			return
		}
		usage(w, r)
	})

	send(handler, "X-Link-Token", "lt_unknown")
	// Output: 401 {"status":401}
}

// once is a Validator that accepts each link token only once. If several processes
// serve the endpoint, keep the used tokens in a database that they share. Remove a
// token when it has expired.
type once struct {
	linkauth.Validator
	used sync.Map
}

func (o *once) ValidateLinkToken(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error) {
	v, err := o.Validator.ValidateLinkToken(ctx, linkToken)
	if err != nil || !v.Valid {
		return v, err
	}
	if _, used := o.used.LoadOrStore(linkToken, v.ExpiresAt); used {
		return nil, linkauth.ErrNotValid
	}
	return v, nil
}

// Validating a link token does not consume it. A Validator around the client admits
// each token only once.
func ExampleValidator_once() {
	api := clienttest.NewAPI()
	m := linkauth.New(&once{Validator: newClient(api)})

	token := api.Issue("customer_1", "workspace_1")
	for range 2 {
		send(m.Wrap(http.HandlerFunc(usage)), "Authorization", "Bearer "+token)
	}
	// Output:
	// 200 usage of customer_1 in workspace_1
	// 401 Unauthorized
}

// The endpoint also serves requests without a link token. Requests with one pass the
// Middleware, so an expired token or an outage is an error, and the customer doesn't
// silently see the prices for everybody.
func ExampleFromContext() {
	api := clienttest.NewAPI()
	prices := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v, ok := linkauth.FromContext(r.Context()); ok {
			fmt.Fprint(w, "prices for ", v.CustomerID)
			return
		}
		fmt.Fprint(w, "prices for everybody")
	})
	admitted := linkauth.New(newClient(api)).Wrap(prices)
	optional := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.Header["Authorization"]) == 0 {
			prices.ServeHTTP(w, r)
			return
		}
		admitted.ServeHTTP(w, r)
	})

	send(optional, "Authorization", "")
	send(optional, "Authorization", "Bearer "+api.Issue("customer_1", "workspace_1"))
	send(optional, "Authorization", "Bearer lt_unknown")
	// Output:
	// 200 prices for everybody
	// 200 prices for customer_1
	// 401 Unauthorized
}

// A test of a handler adds the customer to the context.
func ExampleNewContext() {
	r := httptest.NewRequest(http.MethodGet, "/usage", nil)
	r = r.WithContext(linkauth.NewContext(r.Context(), client.LinkTokenValidation{
		CustomerID:  "customer_1",
		WorkspaceID: "workspace_1",
	}))
	w := httptest.NewRecorder()
	usage(w, r)
	fmt.Println(w.Body)
	// Output: usage of customer_1 in workspace_1
}
