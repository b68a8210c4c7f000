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

// An Option configures a Client. New checks every option, and its error names the
// one that it refuses. If two options set the same thing, the later one wins.
type Option func(*settings) error

type settings struct {
	baseURL string

	// Whether baseURL begins with http://, its host is this machine, and plain http
	// to other hosts is allowed.
	plainHTTP, loopback, insecure bool

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

// WithBaseURL sends requests to rawURL instead of DefaultBaseURL. If rawURL has a
// path, such as that of a gateway, the API's paths are appended to it. New refuses
// URLs that do not parse, have no host, or contain user info, a query or a
// fragment. It also refuses plain http unless the host is localhost or a loopback
// address, because the SDK key and link tokens would be sent unencrypted; see
// WithInsecureHTTP.
func WithBaseURL(rawURL string) Option {
	return func(s *settings) error {
		// The URL may contain a password, so no error quotes it.
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
// loopback. The SDK key and every link token are then sent unencrypted. Use it only
// in a network that encrypts traffic itself, such as a service mesh, or with a fake
// API in another container.
func WithInsecureHTTP() Option {
	return func(s *settings) error {
		s.insecure = true
		return nil
	}
}

// WithHTTPClient sends requests with the Transport and the Jar of hc. If the
// Timeout of hc is shorter than the policy's AttemptTimeout, it limits each attempt
// instead. The Client never modifies hc, and never calls its CheckRedirect, because
// it follows no redirects.
//
// The Transport sees the SDK key, and link tokens as part of URLs. It must not
// record them. The transport of package otelhttp does: its spans include the whole
// URL.
//
// If hc has no Transport, or without this option, the Client uses its own: a copy
// of http.DefaultTransport, including its proxy (for https only) and its dial
// functions. The copy supports HTTP/2, keeps at least 1,000 idle connections per
// host, allows 3 seconds each for connecting and for the TLS handshake, and
// replaces connections that stop responding. If a program has replaced
// http.DefaultTransport with something that is not an *http.Transport, such as a
// fake in a test, the Client uses that instead.
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
// rotated without a restart. Pass "" as the sdkKey of New. Source may be called from
// several goroutines at once, and should cache the key if it is slow to get. Its
// context is that of the call and ends no later than the call. If source fails, or
// returns a key that New would refuse, the call fails and nothing is sent;
// errors.Is and errors.As find the error that source returned.
func WithKeySource(source func(context.Context) (string, error)) Option {
	return func(s *settings) error {
		if source == nil {
			return invalid("WithKeySource", "the function is nil")
		}
		s.keySource = source
		return nil
	}
}

// WithTimeout limits a whole call, including retries and waits, if its context has
// no deadline. If the context has a deadline, even a later one, WithTimeout has no
// effect. The default is 30 seconds, 0 means no limit, and negative durations are
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

// WithRetryPolicy sets the retry policy. Zero fields of p mean the defaults;
// negative fields are refused. If the option is given twice, the second policy
// replaces all of the first.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(s *settings) error {
		if p.MaxAttempts < 0 || min(p.BaseDelay, p.MaxDelay, p.MaxRetryAfter, p.AttemptTimeout) < 0 {
			return invalid("WithRetryPolicy", "a field is negative")
		}
		s.retry = p
		return nil
	}
}

// WithUserAgent adds product, such as "acme-backend/2.1", to the front of the
// User-Agent header. It must be printable ASCII and not empty.
func WithUserAgent(product string) Option {
	return func(s *settings) error {
		if strings.TrimSpace(product) == "" || strings.ContainsFunc(product, func(r rune) bool { return r < ' ' || r > '~' }) {
			return invalid("WithUserAgent", "the product is empty or not printable ASCII")
		}
		s.userAgent = strings.TrimSpace(product) + " " + ownUserAgent
		return nil
	}
}

var ownUserAgent = "oneloop-go/" + Version + " (" + runtime.Version() + ")"

// WithObserver calls observe after every attempt. It does so on the goroutine of
// the call and with its context, and the call waits until observe returns. Observe
// may be called from several goroutines at once. If the option is given more than
// once, all observers are called. LogAttempts returns an observer that logs.
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
