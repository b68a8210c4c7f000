package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/oneloop-ai/oneloop-go/gen"
)

const (
	// DefaultBaseURL is the production server that the contract names.
	DefaultBaseURL = "https://prod.oneloop.ai"

	// Version is the version of this module, as sent in the User-Agent header.
	// Between releases it is that of the next one, followed by "-dev".
	Version = "0.2.0-dev"
)

// A Client calls the Oneloop API. It is immutable and safe for concurrent use.
// Make one with New and share it, because it holds the idle connections and the
// retry budget. Printing a Client never shows its SDK key.
type Client struct {
	baseURL   string
	timeout   time.Duration
	authorize authFunc
	api       *gen.Client
	transport *transport
}

// New returns a Client that authenticates with sdkKey. It sends no request and
// starts no goroutine. Its error matches ErrInvalidArgument and names what was
// refused: an sdkKey that is empty or contains anything but printable ASCII
// without spaces, an sdkKey in addition to WithKeySource, a nil option, or an
// option's value.
func New(sdkKey string, opts ...Option) (*Client, error) {
	s, err := newSettings(sdkKey, opts)
	if err != nil {
		return nil, err
	}
	transport := &transport{given: s.httpClient.Transport, plainHTTP: s.plainHTTP}
	// No redirect is followed: the responses of the attempt have no status.
	hc := &http.Client{Jar: s.httpClient.Jar, Transport: newAttempt(transport, s)}
	return &Client{
		baseURL:   s.baseURL,
		timeout:   s.timeout,
		authorize: s.authorize,
		api:       &gen.Client{Server: s.baseURL, Doer: newRetrier(hc, s)},
		transport: transport,
	}, nil
}

// CloseIdleConnections closes the connections that are idle now, including those
// of a transport that was given with WithHTTPClient. It doesn't affect calls in
// flight, and the Client stays usable.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.transport != nil {
		c.transport.closeIdleConnections()
	}
}

// Format prints the base URL, and never the SDK key, for every verb.
func (c Client) Format(f fmt.State, verb rune) {
	formatText(f, verb, "oneloop client for "+c.baseURL)
}

// do makes one API call. It goes the way that New assembles, and comes back the
// same way:
//
//	method       checks the arguments
//	do           adds the deadline and the SDK key, and puts the call into the context
//	gen.Client   builds the request
//	retrier      sends it through go-retryablehttp until checkRetry says stop
//	http.Client  adds the cookies of the user's Jar
//	attempt      sends it once, within a timeout; reads, classifies and decodes the response
//	transport    is the user's, or our tuned copy of http.DefaultTransport
//
// problem says what is wrong with the arguments, if something is.
func (c *Client) do(ctx context.Context, call *call, problem string, request func(context.Context) (*http.Response, error)) (result any, err error) {
	switch {
	// These two are bugs in the program. They are not ErrInvalidArgument, which
	// backends take to mean that a link token is not valid.
	case c == nil || c.api == nil:
		return nil, errors.New("oneloop: " + call.operation + ": the Client was not made by New")
	case ctx == nil:
		return nil, errors.New("oneloop: " + call.operation + ": the context is nil")
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
