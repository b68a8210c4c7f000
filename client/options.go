package client

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"
	"unicode"
)

// An Option changes what New makes. Options are checked where they are given:
// New's error names the one it refuses. Where two set the same thing, the later
// one counts.
type Option func(*settings) error

type settings struct {
	baseURL    string
	httpClient http.Client
	keySource  func(context.Context) (string, error)
	timeout    time.Duration
	retry      RetryPolicy
	product    string
	observe    func(context.Context, Attempt)
}

// WithBaseURL sends requests to another server than DefaultBaseURL, or through
// a gateway: a path in rawURL is put before the API's own. Refused are URLs
// that do not parse, have no host, or carry user info, a query or a fragment;
// and plain http to any host but localhost and loopback addresses, because the
// SDK key and link tokens are sent in the clear there.
func WithBaseURL(rawURL string) Option {
	return func(s *settings) error {
		// The URL may hold a password: it never stands in an error.
		u, err := url.Parse(rawURL)
		switch {
		case err != nil:
			return invalid("WithBaseURL", "the URL does not parse")
		case u.Scheme != "https" && u.Scheme != "http":
			return invalid("WithBaseURL", "the URL is neither https nor http")
		case u.Hostname() == "":
			return invalid("WithBaseURL", "the URL has no host")
		case u.User != nil:
			return invalid("WithBaseURL", "the URL has user info")
		case strings.ContainsAny(rawURL, "?#"):
			return invalid("WithBaseURL", "the URL has a query or a fragment")
		case u.Scheme == "http" && !isLoopback(u.Hostname()):
			return invalid("WithBaseURL", "plain http to a host that is not loopback would send the SDK key in the clear")
		}
		s.baseURL = strings.TrimRight(u.String(), "/")
		return nil
	}
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// WithHTTPClient sends requests with a copy of hc: its Transport, its Jar, and
// its Timeout, which then bounds each attempt. hc itself is never changed and
// its CheckRedirect is never asked, because redirects are not followed. Where
// hc has no Transport, the Client uses its own, as without this option.
func WithHTTPClient(hc *http.Client) Option {
	return func(s *settings) error {
		if hc == nil {
			return invalid("WithHTTPClient", "the http.Client is nil")
		}
		s.httpClient = *hc
		return nil
	}
}

// WithKeySource asks source for the SDK key once per call, so that a key can
// be rotated without a restart. New's sdkKey must be "" then. The context is
// the call's, bounded by WithTimeout. An error of source ends the call before
// anything is sent, and is found by errors.Is and errors.As; a key that New
// would refuse ends it with ErrInvalidArgument.
func WithKeySource(source func(context.Context) (string, error)) Option {
	return func(s *settings) error {
		if source == nil {
			return invalid("WithKeySource", "the function is nil")
		}
		s.keySource = source
		return nil
	}
}

// WithTimeout bounds a whole call, retries and waits included, where its
// context has no deadline. The default is 30 seconds; 0 means no bound. A
// handler of a server does well with less than the server's WriteTimeout.
func WithTimeout(d time.Duration) Option {
	return func(s *settings) error {
		if d < 0 {
			return invalid("WithTimeout", "the duration is negative")
		}
		s.timeout = d
		return nil
	}
}

// WithRetryPolicy replaces the defaults of the fields of p that are not zero.
// Negative fields are refused.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(s *settings) error {
		if p.MaxAttempts < 0 || min(p.BaseDelay, p.MaxDelay, p.MaxRetryAfter, p.AttemptTimeout) < 0 {
			return invalid("WithRetryPolicy", "a field is negative")
		}
		s.retry = p
		return nil
	}
}

// WithUserAgent puts product, such as "acme-backend/2.1", before this module's
// own part of the User-Agent header. It must be printable ASCII.
func WithUserAgent(product string) Option {
	return func(s *settings) error {
		if strings.TrimSpace(product) == "" {
			return invalid("WithUserAgent", "the product is empty")
		}
		if strings.ContainsFunc(product, func(r rune) bool { return r < ' ' || r > '~' }) {
			return invalid("WithUserAgent", "the product is not printable ASCII")
		}
		s.product = product + " "
		return nil
	}
}

func userAgent(product string) string {
	return product + "oneloop-go/" + Version + " (" + runtime.Version() + ")"
}

// WithObserver tells observe of every attempt, in order, on the goroutine of
// the call and with its context; the next attempt waits until observe returns.
// LogAttempts makes an observer that logs. Given more than once, all observers
// are told, in the order of the options.
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
			return "", err
		}
		if problem := keyProblem(key); problem != "" {
			return "", &failure{text: "WithKeySource: " + problem, cause: ErrInvalidArgument}
		}
		return bearer + key, nil
	}
}

func keyProblem(key string) string {
	if key == "" {
		return "the SDK key is empty"
	}
	if strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "the SDK key has spaces or control characters"
	}
	return ""
}
