package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// The examples call the fake API in package clienttest. Without WithHTTPClient, they
// would call Oneloop.

var ctx = context.Background()

func ExampleNew() {
	c, err := client.New(os.Getenv("ONELOOP_SDK_KEY"))
	if err != nil {
		fmt.Println(errors.Is(err, client.ErrInvalidArgument), err)
		return
	}
	defer c.CloseIdleConnections()
	// Output: true oneloop: New: the SDK key is empty
}

func ExampleClient_GenerateLinkToken() {
	api := clienttest.NewAPI()
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		panic(err)
	}

	token, err := c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{
		CustomerID:  "customer_1",
		WorkspaceID: "workspace_1",
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(token.Token != "", time.Until(token.ExpiresAt) > 0)
	// Output: true true
}

func ExampleClient_ValidateLinkToken() {
	api := clienttest.NewAPI()
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		panic(err)
	}
	token, err := c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{CustomerID: "customer_1", WorkspaceID: "workspace_1"})
	if err != nil {
		panic(err)
	}

	validation, err := c.ValidateLinkToken(ctx, token.Token)
	if err != nil {
		panic(err) // the token was not checked: deny access
	}
	fmt.Println(validation.Valid, validation.CustomerID, validation.WorkspaceID)

	api.Revoke(token.Token)
	validation, err = c.ValidateLinkToken(ctx, token.Token)
	fmt.Println(validation.Valid, err)
	// Output:
	// true customer_1 workspace_1
	// false <nil>
}

func ExampleErrorResponse() {
	api := clienttest.NewAPI()
	api.Queue(clienttest.StatusRetryAfter(429, time.Minute))
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		panic(err)
	}

	_, err = c.ValidateLinkToken(ctx, "lt_1")
	var response *client.ErrorResponse
	if errors.As(err, &response) {
		fmt.Println("status", response.StatusCode, "try again in", response.RetryAfter)
	}
	// Output: status 429 try again in 1m0s
}

func ExampleErrorResponse_Is() {
	c, err := client.New("sdk_wrong", client.WithHTTPClient(clienttest.NewAPI().HTTPClient()))
	if err != nil {
		panic(err)
	}

	_, err = c.ValidateLinkToken(ctx, "lt_1")
	fmt.Println(errors.Is(err, client.ErrUnauthorized))
	fmt.Println(err)
	// Output:
	// true
	// oneloop: validateLinkToken: 401 Unauthorized: invalid SDK key
}

func ExampleWithRetryPolicy() {
	api := clienttest.NewAPI()
	api.Queue(clienttest.Status(503), clienttest.Cut())
	retries := client.WithRetryPolicy(client.RetryPolicy{
		MaxAttempts: 5,
		BaseDelay:   10 * time.Millisecond,
		MaxDelay:    100 * time.Millisecond,
	})
	c, err := client.New(clienttest.SDKKey, retries, client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		panic(err)
	}

	_, err = c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{CustomerID: "customer_1", WorkspaceID: "workspace_1"})
	fmt.Println(len(api.Requests()), err)
	// Output: 3 <nil>
}

func ExampleWithObserver() {
	api := clienttest.NewAPI()
	api.Queue(clienttest.StatusRetryAfter(503, 0))
	c, err := client.New(clienttest.SDKKey,
		client.WithObserver(func(_ context.Context, a client.Attempt) {
			fmt.Println(a.Operation, a.Number, a.StatusCode, a.WillRetry)
		}),
		client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		panic(err)
	}

	_, err = c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{CustomerID: "customer_1", WorkspaceID: "workspace_1"})
	fmt.Println(err)
	// Output:
	// generateLinkToken 1 503 true
	// generateLinkToken 2 200 false
	// <nil>
}

func ExampleLogAttempts() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey, "duration": // differ in every run
				return slog.Attr{}
			}
			return a
		},
	}))
	c, err := client.New("sdk_wrong",
		client.WithObserver(client.LogAttempts(logger)),
		client.WithHTTPClient(clienttest.NewAPI().HTTPClient()))
	if err != nil {
		panic(err)
	}

	_, _ = c.ValidateLinkToken(ctx, "lt_1")
	// Output: level=ERROR msg="oneloop attempt" operation=validateLinkToken attempt=1 status=401 message="invalid SDK key" reason="not retryable"
}

func ExampleWithHTTPClient() {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100
	c, err := client.New("sdk_1", client.WithHTTPClient(&http.Client{Transport: transport}))
	fmt.Println(c != nil, err)
	// Output: true <nil>
}

// A traced transport adds a header to every request, and prints one of the response.
type traced struct{ http.RoundTripper }

func (t traced) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context()) // an http.RoundTripper must not change its argument
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	resp, err := t.RoundTripper.RoundTrip(req)
	if err == nil {
		fmt.Println(req.Method, req.Header.Get("Traceparent"), resp.Header.Get("Content-Type"))
	}
	return resp, err
}

// An http.RoundTripper can add headers to requests, and read those of responses.
func ExampleWithHTTPClient_header() {
	transport := traced{clienttest.NewAPI()} // or a clone of http.DefaultTransport
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		panic(err)
	}
	_, err = c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{CustomerID: "customer_1", WorkspaceID: "workspace_1"})
	fmt.Println(err)
	// Output:
	// POST 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 application/json
	// <nil>
}

func ExampleWithBaseURL() {
	for _, baseURL := range []string{"https://gateway.example/oneloop", "http://localhost:8080", "http://gateway.example"} {
		_, err := client.New("sdk_1", client.WithBaseURL(baseURL))
		fmt.Println(baseURL, err == nil)
	}
	// Output:
	// https://gateway.example/oneloop true
	// http://localhost:8080 true
	// http://gateway.example false
}

func ExampleLinkToken() {
	token := client.LinkToken{Token: "lt_secret", ExpiresAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	fmt.Println(token)
	fmt.Printf("%+v\n", struct{ Token *client.LinkToken }{&token}.Token)
	// Output:
	// link token [redacted] until 2030-01-02T03:04:05Z
	// link token [redacted] until 2030-01-02T03:04:05Z
}
