// Package transport sends an HTTP request once, within a timeout, and reads the
// response. Its subject is net/http: which errors mean that nothing was sent, when to
// stop net/http from resending a request, and when to stop using a connection.
package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// pingTimeout is how long an HTTP/2 connection may be silent before net/http sends a
// ping, and how long net/http then waits for the reply.
const pingTimeout = 3 * time.Second

// maxHeader limits a response header, in bytes.
const maxHeader = 64 << 10

// errProxyRefused means that a proxy responded to CONNECT with a status below 500.
var errProxyRefused = errors.New("refused to connect")

// minDoubt is how long a transport stays in use after a request that casts doubt on
// its connections, so that the response to another one can remove the doubt.
const minDoubt = 100 * time.Millisecond

// A Transport sends requests through the http.RoundTripper of its user, or through
// its own copy of http.DefaultTransport. It is safe for concurrent use.
type Transport struct {
	custom    http.RoundTripper // the user's, or nil
	plainHTTP bool
	timeout   time.Duration
	own       atomic.Pointer[ownTransport]
}

// New returns a Transport. If custom is nil, it uses a copy of http.DefaultTransport,
// without a proxy if plainHTTP is true. The timeout limits each Send, from connecting
// to the end of the response body.
func New(custom http.RoundTripper, plainHTTP bool, timeout time.Duration) *Transport {
	return &Transport{custom: custom, plainHTTP: plainHTTP, timeout: timeout}
}

// CloseIdleConnections closes the connections that are currently idle. http.Client
// knows how, for any http.RoundTripper.
func (t *Transport) CloseIdleConnections() {
	(&http.Client{Transport: t.current(time.Now())}).CloseIdleConnections()
}

// An ownTransport is our copy of original, which was http.DefaultTransport at the
// time. It is replaced if its connections seem to be dead. It is not enough to close
// those that are idle: an HTTP/2 connection is not idle while it still counts a
// canceled request.
type ownTransport struct {
	*http.Transport
	original *http.Transport

	mu         sync.Mutex
	responded  time.Time // when the latest response was received
	doubtSince time.Time // when the first request began that casts doubt; zero after a response
}

// current returns the transport for a request that begins now.
func (t *Transport) current(now time.Time) http.RoundTripper {
	if t.custom != nil {
		return t.custom
	}
	original, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // such as a fake
		return http.DefaultTransport
	}
	own := t.own.Load()
	if own == nil || own.original != original || own.isDead(now) {
		if t.own.CompareAndSwap(own, t.newOwn(original)) && own != nil {
			own.CloseIdleConnections()
			time.AfterFunc(t.timeout, own.CloseIdleConnections) // when all of its requests have ended
		}
		own = t.own.Load()
	}
	return own
}

func (o *ownTransport) isDead(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.doubtSince.IsZero() && now.Sub(o.doubtSince) >= minDoubt
}

// record records the end of a request that began at start: whether there was a
// response, and if not, whether that casts doubt on the connections. A response to
// another request in the meantime removes the doubt.
func (o *ownTransport) record(start time.Time, response, doubtful bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case response:
		o.responded, o.doubtSince = time.Now(), time.Time{}
	case doubtful && o.doubtSince.IsZero() && o.responded.Before(start):
		o.doubtSince = start
	}
}

// newOwn returns a copy of original, tuned for many requests to one host.
func (t *Transport) newOwn(original *http.Transport) *ownTransport {
	own := original.Clone()
	// Clone copies the TLS configuration for HTTP/2 but does not enable HTTP/2.
	own.ForceAttemptHTTP2 = true
	// golang.org/x/net/http2 puts itself here, with the connections of original. An
	// empty map disables HTTP/2.
	if len(own.TLSNextProto) > 0 {
		own.TLSNextProto = nil
	}
	own.HTTP2 = cmp.Or(own.HTTP2, new(http.HTTP2Config))
	own.HTTP2.SendPingTimeout = cmp.Or(own.HTTP2.SendPingTimeout, pingTimeout)
	own.HTTP2.PingTimeout = cmp.Or(own.HTTP2.PingTimeout, pingTimeout)

	// With fewer idle connections than concurrent requests, a busy program would open
	// new connections all the time.
	own.MaxIdleConns = 0
	own.MaxIdleConnsPerHost = max(own.MaxIdleConnsPerHost, 1000)
	own.IdleConnTimeout = cmp.Or(own.IdleConnTimeout, 90*time.Second)
	own.MaxResponseHeaderBytes = maxHeader

	// net/http dials without the deadline of the request, and net.Dialer divides what
	// it has, by default 30 s, among the addresses of a host.
	own.DialContext = withTimeout(own.DialContext, t.timeout)
	own.DialTLSContext = withTimeout(own.DialTLSContext, t.timeout)

	if t.plainHTTP {
		own.Proxy = nil // a proxy would see the header and the URL
	}
	onConnect := own.OnProxyConnectResponse
	own.OnProxyConnectResponse = func(ctx context.Context, proxy *url.URL, req *http.Request, resp *http.Response) (err error) {
		if onConnect != nil {
			err = onConnect(ctx, proxy, req, resp)
		}
		switch {
		case err != nil || resp.StatusCode == http.StatusOK:
			return err
		case resp.StatusCode < 500: // a retry would be refused too, and repeated 407s may lock an account
			return fmt.Errorf("proxy %s %w: %s", proxy.Host, errProxyRefused, resp.Status)
		}
		return fmt.Errorf("proxy %s failed to connect: %s", proxy.Host, resp.Status)
	}
	return &ownTransport{Transport: own, original: original}
}

// withTimeout adds a timeout to dial. It returns nil if dial is nil, because any dial
// function would keep net/http from using fetch on js.
func withTimeout(dial func(context.Context, string, string) (net.Conn, error), timeout time.Duration) func(context.Context, string, string) (net.Conn, error) {
	if dial == nil {
		return nil
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return dial(ctx, network, addr)
	}
}
