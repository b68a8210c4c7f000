package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// connectTimeout limits connecting, and also the TLS handshake. Both together take
// less than the default AttemptTimeout, so an attempt that can't connect is known
// not to have been processed.
const connectTimeout = 3 * time.Second

// pingTimeout is how long an HTTP/2 connection may be silent before net/http sends a
// ping, and how long net/http then waits for the reply.
const pingTimeout = 3 * time.Second

// If a proxy does not accept CONNECT, the call fails with one of these errors
// instead of a status, which would look like Oneloop's.
var (
	errProxyRefused = errors.New("refused to connect")
	errProxyFailed  = errors.New("failed to connect")
)

// A transport chooses the http.RoundTripper of each attempt. It is the user's if
// there is one, and otherwise our own copy of http.DefaultTransport. While
// http.DefaultTransport is not an *http.Transport, but for example a fake, it is
// used directly.
type transport struct {
	custom    http.RoundTripper // the user's, or nil
	plainHTTP bool              // the base URL is not https
	own       atomic.Pointer[ownTransport]
}

// An ownTransport is our copy of original, which was http.DefaultTransport at the
// time.
type ownTransport struct {
	*http.Transport
	original *http.Transport
}

func (t *transport) current() http.RoundTripper {
	if t.custom != nil {
		return t.custom
	}
	original, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	own := t.own.Load()
	if own == nil || own.original != original {
		t.own.CompareAndSwap(own, newOwnTransport(original, t.plainHTTP))
		own = t.own.Load()
	}
	return own
}

// replace makes later attempts use a new copy of the transport, because a connection
// of used stopped responding and others may have as well. It is not enough to close
// the idle connections of used: an HTTP/2 connection is not idle while it still
// counts a canceled request. If several attempts report the same transport, it is
// replaced only once. After timeout, when all attempts on used have ended, replace
// also closes its remaining connections.
func (t *transport) replace(used http.RoundTripper, timeout time.Duration) {
	own, ok := used.(*ownTransport)
	if ok && t.own.CompareAndSwap(own, newOwnTransport(own.original, t.plainHTTP)) {
		own.CloseIdleConnections()
		time.AfterFunc(timeout, own.CloseIdleConnections)
	}
}

func (t *transport) closeIdleConnections() {
	if own := t.own.Load(); own != nil {
		own.CloseIdleConnections()
	}
	if t.custom != nil {
		(&http.Client{Transport: t.custom}).CloseIdleConnections()
	}
}

// newOwnTransport returns a copy of original, tuned for many calls to one host.
func newOwnTransport(original *http.Transport, plainHTTP bool) *ownTransport {
	t := original.Clone()
	// Clone copies the TLS configuration for HTTP/2 but does not enable HTTP/2.
	t.ForceAttemptHTTP2 = true
	// golang.org/x/net/http2 puts itself here, with the connections of original. An
	// empty map disables HTTP/2.
	if len(t.TLSNextProto) > 0 {
		t.TLSNextProto = nil
	}
	t.HTTP2 = cmp.Or(t.HTTP2, new(http.HTTP2Config))
	t.HTTP2.SendPingTimeout = cmp.Or(t.HTTP2.SendPingTimeout, pingTimeout)
	t.HTTP2.PingTimeout = cmp.Or(t.HTTP2.PingTimeout, pingTimeout)

	// With fewer idle connections than concurrent calls, the Client would open new
	// connections all the time under load.
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, 1000)
	t.IdleConnTimeout = cmp.Or(t.IdleConnTimeout, 90*time.Second)
	t.MaxResponseHeaderBytes = maxResponse

	t.TLSHandshakeTimeout = connectTimeout
	//lint:ignore SA1019 a program's own Dial must be used, not bypassed
	if t.DialContext == nil && t.Dial == nil {
		t.DialContext = new(net.Dialer).DialContext
	}
	t.DialContext = withTimeout(t.DialContext, connectTimeout)
	t.DialTLSContext = withTimeout(t.DialTLSContext, 2*connectTimeout) // includes the handshake

	if plainHTTP {
		t.Proxy = nil // a proxy would see the SDK key
	}
	onConnect := t.OnProxyConnectResponse
	t.OnProxyConnectResponse = func(ctx context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
		if onConnect != nil {
			if err := onConnect(ctx, proxy, req, resp); err != nil {
				return err
			}
		}
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		reason := errProxyFailed
		if resp.StatusCode < 500 {
			reason = errProxyRefused
		}
		return fmt.Errorf("proxy %s %w: %s", proxy.Host, reason, resp.Status)
	}
	return &ownTransport{Transport: t, original: original}
}

// withTimeout adds a timeout to dial. It returns nil if dial is nil.
func withTimeout(dial dialFunc, timeout time.Duration) dialFunc {
	if dial == nil {
		return nil
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return dial(ctx, network, addr)
	}
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)
