package client

import (
	"cmp"
	"context"
	"math"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"
)

// An Option configures a Client. New checks every option, and its error names
// the one that it refuses. Of two options that set the same thing, the later one
// counts.
type Option func(*settings) error

type settings struct {
	baseURL    string
	plainHTTP  bool // baseURL begins with http://
	loopback   bool // its host is this machine
	insecure   bool // plain http to other hosts is allowed
	httpClient http.Client
	keySource  func(context.Context) (string, error)
	authorize  authFunc
	timeout    time.Duration
	retry      RetryPolicy
	userAgent  string
	observe    func(context.Context, Attempt)
}

func newSettings(sdkKey string, opts []Option) (s *settings, err error) {
	s = &settings{
		baseURL:   DefaultBaseURL,
		timeout:   30 * time.Second,
		userAgent: ownUserAgent,
		observe:   func(context.Context, Attempt) {},
	}
	for _, opt := range opts {
		if opt == nil {
			return nil, invalid("New", "an option is nil")
		}
		if err := opt(s); err != nil {
			return nil, err
		}
	}
	if s.plainHTTP && !s.loopback && !s.insecure {
		return nil, invalid("WithBaseURL", "plain http to a host that is not loopback would send the SDK key in the clear")
	}
	s.retry.setDefaults()
	if t := s.httpClient.Timeout; t > 0 {
		s.retry.AttemptTimeout = min(s.retry.AttemptTimeout, t)
	}
	s.authorize, err = newAuthFunc(sdkKey, s.keySource)
	return s, err
}

// WithBaseURL sends requests to rawURL instead of DefaultBaseURL. A path in it,
// as of a gateway, is put before the API's own. New refuses URLs that do not
// parse, have no host, or contain user info, a query or a fragment. It refuses
// plain http unless the host is localhost or a loopback address, because the
// SDK key and link tokens would be sent in the clear; see WithInsecureHTTP.
func WithBaseURL(rawURL string) Option {
	return func(s *settings) error {
		// The URL may hold a password: it never stands in an error.
		u, err := url.Parse(rawURL)
		switch {
		case err != nil:
			return invalid("WithBaseURL", "the URL does not parse")
		case u.Scheme != "https" && u.Scheme != "http":
			return invalid("WithBaseURL", "the URL does not begin with https:// or http://")
		case u.Hostname() == "":
			return invalid("WithBaseURL", "the URL has no host")
		case u.User != nil || strings.ContainsAny(rawURL, "?#"):
			return invalid("WithBaseURL", "the URL has user info, a query or a fragment")
		}
		s.plainHTTP = u.Scheme == "http"
		s.loopback = strings.EqualFold(u.Hostname(), "localhost") || net.ParseIP(u.Hostname()).IsLoopback()
		s.baseURL = strings.TrimRight(u.String(), "/")
		return nil
	}
}

// WithInsecureHTTP allows a base URL with plain http to a host that is not
// loopback. The SDK key and every link token then cross the network in the
// clear: use it only for a network that encrypts by itself, such as a service
// mesh, or for a fake API in another container.
func WithInsecureHTTP() Option {
	return func(s *settings) error {
		s.insecure = true
		return nil
	}
}

// WithHTTPClient sends requests with the Transport and the Jar of hc, and bounds
// each attempt by its Timeout, too. hc itself is never changed, and its
// CheckRedirect is never called, because redirects are not followed.
//
// The Transport sees the SDK key and, as part of URLs, link tokens: it must not
// record them. The one of package otelhttp does: its spans have the whole URL.
//
// If hc has no Transport, the Client uses its own, as without this option: a copy
// of http.DefaultTransport, with its proxy for https and its dial functions. The
// copy keeps 1,000 idle connections per host, gives connecting and the TLS
// handshake 3 seconds each, speaks HTTP/2, and gives up connections that have
// fallen silent. If http.DefaultTransport is not an *http.Transport, such as in a
// test that replaces it with a fake, the Client uses it as it is.
func WithHTTPClient(hc *http.Client) Option {
	return func(s *settings) error {
		if hc == nil {
			return invalid("WithHTTPClient", "the http.Client is nil")
		}
		s.httpClient = *hc
		return nil
	}
}

// WithKeySource gets the SDK key from source once per call, so that keys can be
// rotated without a restart; pass "" as New's sdkKey. Calls from several
// goroutines call source concurrently, and a source that is slow should cache.
// Its context is the call's, bounded by WithTimeout. If source fails, or returns
// a key that New would refuse, the call fails before anything is sent; errors.Is
// and errors.As find the error of source.
func WithKeySource(source func(context.Context) (string, error)) Option {
	return func(s *settings) error {
		if source == nil {
			return invalid("WithKeySource", "the function is nil")
		}
		s.keySource = source
		return nil
	}
}

// WithTimeout bounds a whole call, retries and waits included, if its context
// has no deadline; a context with a deadline, even a later one, is left as it
// is. The default is 30 seconds; 0 means no bound; negative durations are
// refused. In an HTTP handler, use less than the server's WriteTimeout.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error {
		if d < 0 {
			return invalid("WithTimeout", "the duration is negative")
		}
		s.timeout = cmp.Or(d, math.MaxInt64)
		return nil
	}
}

// WithRetryPolicy sets the retry policy. Zero fields of p have their defaults;
// negative ones are refused. A second policy replaces the first one whole.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(s *settings) error {
		if p.MaxAttempts < 0 || min(p.BaseDelay, p.MaxDelay, p.MaxRetryAfter, p.AttemptTimeout) < 0 {
			return invalid("WithRetryPolicy", "a field is negative")
		}
		s.retry = p
		return nil
	}
}

// WithUserAgent puts product, such as "acme-backend/2.1", in front of this
// module's own part of the User-Agent header. It must be printable ASCII and not
// empty.
func WithUserAgent(product string) Option {
	return func(s *settings) error {
		notPrintable := func(r rune) bool { return r < ' ' || r > '~' }
		if strings.TrimSpace(product) == "" || strings.ContainsFunc(product, notPrintable) {
			return invalid("WithUserAgent", "the product is empty or not printable ASCII")
		}
		s.userAgent = strings.TrimSpace(product) + " " + ownUserAgent
		return nil
	}
}

var ownUserAgent = "oneloop-go/" + Version + " (" + runtime.Version() + ")"

// WithObserver calls observe after every attempt of a call, in order, with the
// context and on the goroutine of that call, which waits for it. Calls from
// several goroutines call it concurrently. If the option is given more than
// once, every observer is called. LogAttempts makes an observer that logs.
func WithObserver(observe func(context.Context, Attempt)) Option {
	return func(s *settings) error {
		if observe == nil {
			return invalid("WithObserver", "the function is nil")
		}
		earlier := s.observe
		s.observe = func(ctx context.Context, a Attempt) {
			earlier(ctx, a)
			observe(ctx, a)
		}
		return nil
	}
}
