package client

import (
	"context"
	"errors"
	"fmt"
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
	cleartext  bool // baseURL would send secrets in the clear over a network
	insecure   bool // which is allowed
	httpClient http.Client
	keySource  func(context.Context) (string, error)
	timeout    time.Duration
	retry      RetryPolicy
	product    string
	observe    func(context.Context, Attempt)
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
		case u.User != nil:
			return invalid("WithBaseURL", "the URL has user info")
		case strings.ContainsAny(rawURL, "?#"):
			return invalid("WithBaseURL", "the URL has a query or a fragment")
		}
		s.cleartext = u.Scheme == "http" && !isLoopback(u.Hostname())
		s.baseURL = strings.TrimRight(u.String(), "/")
		return nil
	}
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
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

// WithHTTPClient sends requests with a copy of hc: its Transport, its Jar, and
// its Timeout, which then bounds each attempt. hc itself is never changed, and
// its CheckRedirect is never called, because redirects are not followed.
//
// The Transport sees the SDK key and, as part of URLs, link tokens: it must not
// log them. If hc has none, the Client uses its own, as without this option: a
// copy of http.DefaultTransport, with its proxy settings, that keeps more idle
// connections and gives dialling and the TLS handshake 3 seconds each.
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
		s.timeout = d
		return nil
	}
}

// WithRetryPolicy sets the retry policy. Zero fields of p have their defaults;
// negative ones are refused. A second policy replaces the first one whole.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(s *settings) error {
		switch {
		case p.MaxAttempts < 0:
			return invalid("WithRetryPolicy", "MaxAttempts is negative")
		case p.BaseDelay < 0:
			return invalid("WithRetryPolicy", "BaseDelay is negative")
		case p.MaxDelay < 0:
			return invalid("WithRetryPolicy", "MaxDelay is negative")
		case p.MaxRetryAfter < 0:
			return invalid("WithRetryPolicy", "MaxRetryAfter is negative")
		case p.AttemptTimeout < 0:
			return invalid("WithRetryPolicy", "AttemptTimeout is negative")
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
		if strings.TrimSpace(product) == "" {
			return invalid("WithUserAgent", "the product is empty")
		}
		if strings.ContainsFunc(product, func(r rune) bool { return r < ' ' || r > '~' }) {
			return invalid("WithUserAgent", "the product is not printable ASCII")
		}
		s.product = product
		return nil
	}
}

func userAgent(product string) string {
	return strings.TrimSpace(product + " oneloop-go/" + Version + " (" + runtime.Version() + ")")
}

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

// authFunc gives a call its Authorization header before deadline, zero for
// none. It is a function also where the key is fixed: whatever prints a Client
// field by field, such as reflection, then meets no key.
type authFunc func(ctx context.Context, deadline time.Time) (string, error)

const bearer = "Bearer "

func newAuthFunc(sdkKey string, source func(context.Context) (string, error)) (authFunc, error) {
	if source != nil {
		if sdkKey != "" {
			return nil, invalid("New", "both an SDK key and WithKeySource are given")
		}
		return sourceAuthFunc(source), nil
	}
	if problem := keyProblem(sdkKey); problem != "" {
		return nil, invalid("New", problem)
	}
	header := bearer + sdkKey
	return func(context.Context, time.Time) (string, error) { return header, nil }, nil
}

func sourceAuthFunc(source func(context.Context) (string, error)) authFunc {
	return func(ctx context.Context, deadline time.Time) (string, error) {
		if !deadline.IsZero() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, deadline)
			defer cancel()
		}
		key, err := source(ctx)
		if err != nil {
			return bearer + key, fmt.Errorf("WithKeySource: %w", err) // with the key, to redact it
		}
		if problem := keyProblem(key); problem != "" {
			// Not ErrInvalidArgument: that is what a bad link token is, for which
			// callers blame whoever sent it.
			return bearer + key, errors.New("WithKeySource: " + problem)
		}
		return bearer + key, nil
	}
}

// keyProblem wants printable ASCII, as RFC 6750 does of a bearer token: a pasted
// line break or byte order mark would only show as a 401.
func keyProblem(key string) string {
	if key == "" {
		return "the SDK key is empty"
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "the SDK key has spaces, control characters or characters outside ASCII"
	}
	return ""
}
