package client

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/oneloop-ai/oneloop-go/gen"
)

const (
	// DefaultBaseURL is Oneloop's production server, as the contract names it.
	DefaultBaseURL = "https://prod.oneloop.ai"

	// Version is the version of this module, as sent in the User-Agent header.
	Version = "0.1.0"
)

// A Client calls the Oneloop API. It is immutable and safe for concurrent use;
// make one with New and share it: it keeps connections and the retry budget.
// Printing a Client never shows its SDK key.
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

// New returns a Client that authenticates with sdkKey. No request is sent and
// no goroutine is started. The error matches ErrInvalidArgument and names the
// argument or option that was refused: an sdkKey that is empty or has spaces
// or control characters, an sdkKey next to WithKeySource, a nil option, or
// whatever the option says of itself.
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
	if c.base == nil {
		c.base, c.pool = defaultTransport()
	}
	return c, nil
}

// CloseIdleConnections closes the connections that are idle now, also those
// of a transport given by WithHTTPClient. Calls in flight are not affected and
// the Client stays usable.
func (c *Client) CloseIdleConnections() {
	(&http.Client{Transport: c.transport()}).CloseIdleConnections()
}

// Format prints the base URL for every verb, and never the SDK key.
func (c Client) Format(f fmt.State, verb rune) {
	formatText(f, verb, "oneloop client for "+c.baseURL)
}

// do is the way of a call: check ctx and get the key, let the generated client
// build the request, let call send it as often as the retry policy says, and
// make the result of what the last attempt received. W is the generated type
// of the answer; result checks its fields, among them the required ones, and
// turns it into the exported type.
func do[W, T any](
	ctx context.Context, c *Client, operation, linkToken string,
	request func(*gen.Client) (*http.Response, error),
	result func(*W) (*T, error), required ...string,
) (*T, error) {
	call := &call{client: c, operation: operation, linkToken: linkToken}
	if err := call.start(ctx); err != nil {
		return nil, err
	}
	// What request returns is not used: the call has seen every attempt, and
	// http.Client or go-retryablehttp may have lost an answer on the way.
	call.api = gen.Client{Server: c.baseURL, Doer: call}
	_, err := request(&call.api)
	if call.attempts == 0 {
		return nil, call.failed(err)
	}
	body, err := call.answer(ctx)
	if err != nil {
		return nil, err
	}
	var wire W
	if err := decode(call.last.header, body, &wire, required); err != nil {
		return nil, call.malformed(err)
	}
	out, err := result(&wire)
	if err != nil {
		return nil, call.malformed(err)
	}
	return out, nil
}
