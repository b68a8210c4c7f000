package client

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"strings"
	"time"
)

// WithBaseURL sends requests to rawURL instead of [DefaultBaseURL]. If rawURL has a
// path, such as that of a gateway, the API's paths are appended to it. [New] rejects
// URLs that do not parse, have no host, or contain user info, a query or a fragment.
// It also rejects plain http unless the host is localhost or a loopback address,
// because the SDK key and link tokens would be sent unencrypted; see
// [WithInsecureHTTP].
func WithBaseURL(rawURL string) Option {
	return func(c *config) { c.baseURL = rawURL }
}

// WithInsecureHTTP allows a base URL with plain http to a host that is not
// loopback. The SDK key and every link token are then sent unencrypted. Use it only
// in a network that encrypts traffic itself, such as a service mesh, or with a fake
// API in another container.
func WithInsecureHTTP() Option {
	return func(c *config) { c.insecure = true }
}

// WithHTTPClient sends requests with the Transport of hc. If the Timeout of hc is
// shorter than the policy's AttemptTimeout, it limits each attempt instead. The
// Client never modifies hc, and ignores its Jar and its CheckRedirect: it stores no
// cookies and follows no redirects.
//
// The Transport sees the SDK key, and link tokens as part of URLs. It must not
// record them. The transport of package otelhttp does: its spans include the whole
// URL.
//
// If hc has no Transport, or without this option, the Client uses its own: a copy of
// [http.DefaultTransport], including its dial functions and, for https only, its
// proxy. The copy supports HTTP/2, limits response headers to 64 KiB, and keeps up to
// 1,000 idle connections, or MaxIdleConnsPerHost of http.DefaultTransport if that is
// more. If a program has replaced http.DefaultTransport with something that is not an
// [*http.Transport], such as a fake in a test, the Client uses that instead.
//
// Connections can die without being closed. If a reused connection of the Client's own
// transport breaks, or stays silent for 500 ms, and no response arrives on another one
// meanwhile, later attempts use new connections.
//
// net/http resends some requests on its own, for example if the server closes an idle
// connection at that moment. An attempt uses at most four new connections. If a proxy
// refuses a CONNECT, the error names the proxy; the call is retried only if the
// proxy's status is 5xx, because repeated 407s may lock an account.
func WithHTTPClient(hc *http.Client) Option {
	return func(c *config) { c.httpClient = hc }
}

// WithKeyFile reads the SDK key from a file, such as a mounted secret. White space
// around the key is removed. Pass "" as the sdkKey of [New], which reads the file once
// and rejects a wrong path. Each call reads it again, so that a rotated key is used at
// once: write a new file and rename it over the old one, so that no call reads an
// incomplete key. If a call can't read a key that New would accept, it fails and
// nothing is sent; [errors.Is] finds the error of package os.
func WithKeyFile(path string) Option {
	return func(c *config) { c.keyFile = &path }
}

// WithKeySource gets the SDK key from source once per call, for example from a secret
// manager, so that keys can be rotated without a restart. Pass "" as the sdkKey of
// [New]. The function must be safe for concurrent use, and should cache the key if it
// is slow to get. Its context is that of the call and ends no later than the call. If
// source fails, or returns a key that New would reject, the call fails and nothing is
// sent; [errors.Is] and [errors.As] find the error that source returned, unless the
// call's context ended with a cause of its own.
func WithKeySource(source func(context.Context) (string, error)) Option {
	return func(c *config) { c.keySource = &source }
}

// WithTimeout limits a whole call, including retries and waits. The call ends at the
// deadline of its context or after d, whichever is earlier, provided that the
// transport and the key source respect their contexts. The default is 15 seconds, 0
// means no limit, and negative durations are rejected.
func WithTimeout(d time.Duration) Option {
	return func(c *config) { c.timeout = cmp.Or(d, math.MaxInt64) }
}

// WithRetryPolicy sets the retry policy. Zero fields of p mean the defaults;
// negative fields are rejected. If the option is given twice, the second policy
// replaces all of the first.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(c *config) { c.policy = p }
}

// WithUserAgent adds product, such as "acme-backend/2.1", to the front of the
// User-Agent header. It must be printable ASCII and not empty.
func WithUserAgent(product string) Option {
	return func(c *config) { c.userAgent = strings.TrimSpace(product) + " " + ownUserAgent }
}

// WithObserver calls observe after every attempt. It does so on the goroutine of
// the call and with its context, and the call waits until observe returns. The
// function must be safe for concurrent use. If the option is given more than once,
// all observers are called. [LogAttempts] returns an observer that logs. A call that
// fails before its first attempt, for example because the key source failed, is not
// observed: log the errors of calls, too.
func WithObserver(observe func(context.Context, Attempt)) Option {
	return func(c *config) { c.observers = append(c.observers, observe) }
}
