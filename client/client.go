package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oneloop-ai/oneloop-go/gen"
)

// DefaultBaseURL is the URL of Oneloop's production server.
const DefaultBaseURL = "https://prod.oneloop.ai"

// Version is the version of this module. It is part of the User-Agent header.
// Between releases it is the next version followed by "-dev".
const Version = "0.2.0-dev"

// A Client calls the Oneloop API. It is immutable and safe for concurrent use.
// Create one with New and share it: it holds the idle connections and the retry
// budget. Printing a Client never shows its SDK key.
type Client struct {
	baseURL   string
	timeout   time.Duration
	authorize authFunc
	api       *gen.Client
	transport *transport
}

// New returns a Client that authenticates with sdkKey. It sends no requests and
// starts no goroutines.
//
// The key must consist of printable ASCII characters without spaces. With
// WithKeySource, it must be empty. If New refuses the key or an option, the error
// matches ErrInvalidArgument and says which one it refused.
func New(sdkKey string, opts ...Option) (*Client, error) {
	s, err := newSettings(sdkKey, opts)
	if err != nil {
		return nil, err
	}
	transport := &transport{custom: s.httpClient.Transport, plainHTTP: s.plainHTTP}
	// http.Client follows no redirects, because the attempt returns no status.
	hc := &http.Client{Jar: s.httpClient.Jar, Transport: newAttempt(transport, s)}
	return &Client{
		baseURL:   s.baseURL,
		timeout:   s.timeout,
		authorize: s.authorize,
		api:       &gen.Client{Server: s.baseURL, Doer: newRetrier(hc, s)},
		transport: transport,
	}, nil
}

// CloseIdleConnections closes the connections that are currently idle, including
// those of a transport set with WithHTTPClient. It does not interrupt calls in
// progress, and the Client remains usable.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.transport != nil {
		c.transport.closeIdleConnections()
	}
}

// Format implements fmt.Formatter. For every verb, it prints the base URL and
// never the SDK key.
func (c Client) Format(f fmt.State, verb rune) {
	formatText(f, verb, "oneloop client for "+c.baseURL)
}

// do makes one API call. The request passes through these stages, which New sets
// up, and the response comes back through them in reverse:
//
//	method       checks the arguments
//	do           adds the deadline and the SDK key, and puts the call into the context
//	gen.Client   builds the request
//	retrier      sends it through go-retryablehttp until checkRetry says stop
//	http.Client  adds the cookies of the user's Jar
//	attempt      sends it once, within a timeout; reads, classifies and decodes the response
//	transport    is the user's, or our tuned copy of http.DefaultTransport
//
// If the arguments are not valid, problem says why.
func (c *Client) do(ctx context.Context, call *call, problem string, request func(context.Context) (*http.Response, error)) (result any, err error) {
	switch {
	// These two are bugs in the program. They don't match ErrInvalidArgument,
	// because backends treat that as an invalid link token.
	case c == nil || c.api == nil:
		return nil, errors.New("oneloop: " + call.operation + ": the Client was not made by New")
	case ctx == nil:
		return nil, errors.New("oneloop: " + call.operation + ": the context is nil")
	case problem != "" && call.operation == "validateLinkToken":
		return nil, &failure{text: "oneloop: " + call.operation + ": " + problem, cause: ErrInvalidLinkToken}
	case problem != "":
		return nil, invalid(call.operation, problem)
	case ctx.Err() != nil:
		return nil, call.failed(ctx.Err())
	}
	var ok bool
	if call.deadline, ok = ctx.Deadline(); !ok {
		call.deadline = time.Now().Add(c.timeout)
	}
	if call.authorization, err = c.authorize(ctx, call.deadline); err != nil {
		return nil, call.failed(err)
	}
	_, err = request(context.WithValue(ctx, callKey{}, call)) // the attempt has read the response
	return call.end(ctx, err)
}
