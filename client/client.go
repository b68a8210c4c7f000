package client

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/oneloop-ai/oneloop-go/gen"
)

const (
	// DefaultBaseURL is the production server that the contract names.
	DefaultBaseURL = "https://prod.oneloop.ai"

	// Version is the version of this module, as sent in the User-Agent header.
	Version = "0.1.0"
)

// A Client calls the Oneloop API. It is immutable and safe for concurrent use.
// Make one with New and share it, because it holds the idle connections and the
// retry budget. Printing a Client never shows its SDK key.
type Client struct {
	baseURL   string
	userAgent string
	authorize authFunc
	http      http.Client       // the user's, or a zero one; its transport is not used
	base      http.RoundTripper // the user's transport, or a fake in http.DefaultTransport; else nil
	pool      *pool             // where base is nil
	timeout   time.Duration
	retry     RetryPolicy
	budget    *budget
	observe   func(context.Context, Attempt)
}

// New returns a Client that authenticates with sdkKey. It sends no request and
// starts no goroutine. Its error matches ErrInvalidArgument and names what was
// refused: an sdkKey that is empty or contains anything but printable ASCII
// without spaces, an sdkKey in addition to WithKeySource, a nil option, or an
// option's value.
func New(sdkKey string, opts ...Option) (*Client, error) {
	s := settings{
		baseURL: DefaultBaseURL,
		timeout: 30 * time.Second,
		observe: func(context.Context, Attempt) {},
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, invalid("New", "an option is nil")
		}
		if err := opt(&s); err != nil {
			return nil, err
		}
	}
	if s.cleartext && !s.insecure {
		return nil, invalid("WithBaseURL", "plain http to a host that is not loopback would send the SDK key in the clear")
	}
	authorize, err := newAuthFunc(sdkKey, s.keySource)
	if err != nil {
		return nil, err
	}
	c := &Client{
		baseURL:   s.baseURL,
		userAgent: userAgent(s.product),
		authorize: authorize,
		http:      s.httpClient,
		base:      s.httpClient.Transport,
		timeout:   s.timeout,
		retry:     s.retry.withDefaults(),
		budget:    newBudget(),
		observe:   s.observe,
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if standard, ok := http.DefaultTransport.(*http.Transport); c.base == nil && ok {
		c.pool = newPool(standard)
	} else if c.base == nil {
		c.base = http.DefaultTransport // a test's fake
	}
	return c, nil
}

// CloseIdleConnections closes the connections that are idle now, also those of
// a transport that was given with WithHTTPClient. It doesn't affect calls in
// flight, and the Client stays usable.
func (c *Client) CloseIdleConnections() {
	(&http.Client{Transport: c.transport()}).CloseIdleConnections()
}

// Format prints the base URL, and never the SDK key, for every verb.
func (c Client) Format(f fmt.State, verb rune) {
	formatText(f, verb, "oneloop client for "+c.baseURL)
}

// do makes one call: check ctx and get the key; let the generated client
// build the request, and call send it as often as the retry policy says; return
// what the last attempt made of its answer.
func do[W, T any](
	ctx context.Context, c *Client, operation, linkToken string,
	request func(*gen.Client) (*http.Response, error), result *result[W, T],
) (*T, error) {
	if c == nil || c.authorize == nil {
		return nil, invalid(operation, "the Client was not made by New")
	}
	call := &call{client: c, operation: operation, linkToken: linkToken, result: result}
	if err := call.start(ctx); err != nil {
		return nil, err
	}
	call.api = gen.Client{Server: c.baseURL, Doer: call}
	resp, err := request(&call.api)
	if resp != nil {
		_ = resp.Body.Close() // its body was read by RoundTrip; this ends a timer of http.Client
	}
	if err = call.finish(ctx, err); err != nil {
		return nil, err
	}
	return result.value, nil
}
