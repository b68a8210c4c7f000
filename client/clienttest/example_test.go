package clienttest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// admits stands in for the code that you want to test.
func admits(ctx context.Context, tokens validator, linkToken string) string {
	v, err := tokens.ValidateLinkToken(ctx, linkToken)
	switch {
	case err == nil && v.Valid:
		return "welcome, " + v.CustomerID
	case err == nil, errors.Is(err, client.ErrBadRequest), errors.Is(err, client.ErrInvalidLinkToken):
		return "no"
	default:
		return "try later"
	}
}

// validator is the part of *client.Client that your code uses.
type validator interface {
	ValidateLinkToken(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error)
}

var ctx = context.Background()

func ExampleNewAPI() {
	api := clienttest.NewAPI()
	c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	token, _ := c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{CustomerID: "ada", WorkspaceID: "engines"})

	fmt.Println(admits(ctx, c, token.Token))
	api.Advance(time.Hour)
	fmt.Println(admits(ctx, c, token.Token))
	fmt.Println(admits(ctx, c, "lt_unknown"))
	// Output:
	// welcome, ada
	// no
	// no
}

// The code only validates link tokens, so the test makes one itself.
func ExampleAPI_Issue() {
	api := clienttest.NewAPI()
	c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))

	fmt.Println(admits(ctx, c, api.Issue("ada", "engines")))
	// Output: welcome, ada
}

func ExampleAPI_Queue() {
	api := clienttest.NewAPI()
	c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))

	api.Queue(clienttest.StatusRetryAfter(503, time.Hour))
	fmt.Println(admits(ctx, c, "lt_1"))
	api.Queue(clienttest.Response(200, nil, `{"valid":true}`)) // fields are missing
	fmt.Println(admits(ctx, c, "lt_1"))
	// Output:
	// try later
	// try later
}

// The outage lasts until the test ends it. In a synctest bubble, the client's waits
// take no time.
func Example_outage() {
	t := new(testing.T) // in a test, use its argument
	synctest.Test(t, func(t *testing.T) {
		api := clienttest.NewAPI()
		c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
		token, _ := c.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "ada", WorkspaceID: "engines"})

		api.Queue(clienttest.StatusRetryAfter(503, time.Second).Always())
		start := time.Now()
		fmt.Println(admits(t.Context(), c, token.Token))
		fmt.Println("after", time.Since(start).Truncate(time.Second))

		api.ClearFaults()
		fmt.Println(admits(t.Context(), c, token.Token))
	})
	// Output:
	// try later
	// after 2s
	// welcome, ada
}

func ExampleAPI_Requests() {
	api := clienttest.NewAPI()
	c, _ := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))

	admits(ctx, c, "lt_1")
	fmt.Println(api.Requests()[0].Operation, api.Requests()[0].LinkToken)
	// Output: validateLinkToken lt_1
}

func ExampleAPI_ServeHTTP() {
	server := httptest.NewServer(clienttest.NewAPI())
	defer server.Close()
	c, _ := client.New(clienttest.SDKKey, client.WithBaseURL(server.URL))

	fmt.Println(admits(ctx, c, "lt_unknown"))
	// Output: no
}

// The fake listens on a fixed port, for programs that read ONELOOP_BASE_URL.
func ExampleAPI_ServeHTTP_fixedPort() {
	err := http.ListenAndServe("127.0.0.1:8090", clienttest.NewAPI())
	log.Fatal(err)
}

func Example_httpmock() {
	hc := &http.Client{}
	httpmock.ActivateNonDefault(hc) // or httpmock.Activate(t), without WithHTTPClient
	defer httpmock.DeactivateAndReset()
	httpmock.RegisterResponder("GET", "=~/api/v1/link-token/", httpmock.NewJsonResponderOrPanic(200, map[string]any{
		"valid": true, "expiresAt": 1893456000, "workspaceId": "engines", "customerId": "ada",
	}))
	c, _ := client.New("sdk_any", client.WithHTTPClient(hc))
	fmt.Println(admits(ctx, c, "lt_1"))
	// Output: welcome, ada
}

// unavailable is a validator that behaves as if Oneloop were down.
type unavailable struct{}

func (unavailable) ValidateLinkToken(context.Context, string) (*client.LinkTokenValidation, error) {
	return nil, &client.ErrorResponse{StatusCode: 503}
}

func Example_interface() {
	fmt.Println(admits(ctx, unavailable{}, "lt_1"))
	// Output: try later
}
