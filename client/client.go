package client

import (
	"cmp"
	"context"
	"math"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/oneloop-ai/oneloop-go/internal/transport"
)

// DefaultBaseURL is the URL of Oneloop's production server.
const DefaultBaseURL = "https://prod.oneloop.ai"

// Version is the version of this module. It is part of the User-Agent header.
// Between releases it is the next version followed by "-dev".
const Version = "0.2.0-dev"

// A Client calls the Oneloop API. Its configuration never changes, and it is safe for
// concurrent use. Create one with [New] and share it: it holds the idle connections
// and the retry budget. Printing a Client never shows its SDK key.
type Client struct {
	baseURL   string
	timeout   time.Duration
	authorize authFunc
	header    http.Header // sent with every request, beside the key
	transport *transport.Transport
	policy    RetryPolicy
	budget    *budget
	observers []func(context.Context, Attempt)
}

// An Option configures a [Client]. [New] checks the options, and its error names the
// one that it rejects. If two options set the same thing, the later one wins.
type Option func(*config)

// A config is what options set. New checks it.
type config struct {
	baseURL    string
	insecure   bool
	httpClient *http.Client
	keyFile    *string
	keySource  *keyFunc
	timeout    time.Duration
	policy     RetryPolicy
	userAgent  string
	observers  []func(context.Context, Attempt)
}

// New returns a [Client] that authenticates with sdkKey. It sends no requests and
// starts no goroutines.
//
// The key must consist of printable ASCII characters other than spaces, quotation
// marks and backslashes. With [WithKeyFile] or [WithKeySource], it must be empty. If
// New rejects the key or an option, the error matches [ErrInvalidArgument] and says
// which one. New panics if an option is nil.
func New(sdkKey string, opts ...Option) (*Client, error) {
	cfg := config{baseURL: DefaultBaseURL, timeout: 15 * time.Second, httpClient: new(http.Client), userAgent: ownUserAgent}
	for _, opt := range opts {
		opt(&cfg)
	}
	baseURL, err := cfg.check()
	if err != nil {
		return nil, err
	}
	authorize, err := newAuthFunc(sdkKey, cfg.keyFile, cfg.keySource)
	if err != nil {
		return nil, err
	}
	cfg.policy.setDefaults()
	cfg.policy.AttemptTimeout = min(cfg.policy.AttemptTimeout, cfg.timeout, cmp.Or(max(0, cfg.httpClient.Timeout), math.MaxInt64))
	return &Client{
		baseURL:   strings.TrimRight(baseURL.String(), "/"),
		timeout:   cfg.timeout,
		authorize: authorize,
		header: http.Header{
			"Accept":          {"application/json"},
			"Accept-Encoding": {"identity"}, // otherwise net/http decompresses, and the limit of the body wouldn't hold
			"User-Agent":      {cfg.userAgent},
		},
		transport: transport.New(cfg.httpClient.Transport, baseURL.Scheme == "http", cfg.policy.AttemptTimeout),
		policy:    cfg.policy,
		budget:    new(budget),
		observers: cfg.observers,
	}, nil
}

// check returns the base URL, or an error that names the option that is not valid.
func (c *config) check() (*url.URL, error) {
	for field, value := range map[string]int64{
		"MaxAttempts":    int64(c.policy.MaxAttempts),
		"BaseDelay":      int64(c.policy.BaseDelay),
		"MaxDelay":       int64(c.policy.MaxDelay),
		"MaxRetryAfter":  int64(c.policy.MaxRetryAfter),
		"AttemptTimeout": int64(c.policy.AttemptTimeout),
	} {
		if value < 0 {
			return nil, invalid("WithRetryPolicy", field+" is negative")
		}
	}
	u, err := url.Parse(c.baseURL) // it may contain a password, so no error quotes it
	switch {
	case err != nil:
		return nil, invalid("WithBaseURL", "the URL does not parse")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, invalid("WithBaseURL", "the URL does not begin with https:// or http://")
	case u.Hostname() == "":
		return nil, invalid("WithBaseURL", "the URL has no host")
	case u.User != nil || strings.ContainsAny(c.baseURL, "?#"):
		return nil, invalid("WithBaseURL", "the URL has user info, a query or a fragment")
	case u.Scheme == "http" && !c.insecure && !strings.EqualFold(u.Hostname(), "localhost") && !net.ParseIP(u.Hostname()).IsLoopback():
		return nil, invalid("WithBaseURL", "plain http would send the SDK key unencrypted: use https, or WithInsecureHTTP if the network encrypts traffic itself")
	case c.httpClient == nil:
		return nil, invalid("WithHTTPClient", "the http.Client is nil")
	case c.timeout < 0:
		return nil, invalid("WithTimeout", "the duration is negative")
	case strings.HasPrefix(c.userAgent, " ") || strings.ContainsFunc(c.userAgent, func(r rune) bool { return r < ' ' || r > '~' }):
		return nil, invalid("WithUserAgent", "the product is empty or not printable ASCII")
	case slices.ContainsFunc(c.observers, func(observe func(context.Context, Attempt)) bool { return observe == nil }):
		return nil, invalid("WithObserver", "the function is nil")
	}
	return u, nil
}

var ownUserAgent = "oneloop-go/" + Version + " (" + runtime.Version() + ")"

// CloseIdleConnections closes the connections that are currently idle, including
// those of a transport set with [WithHTTPClient]. It does not interrupt calls in
// progress, and the Client remains usable.
func (c *Client) CloseIdleConnections() { c.transport.CloseIdleConnections() }
