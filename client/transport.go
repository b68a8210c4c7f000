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

// connectTimeout bounds connecting and the TLS handshake, each. It is less than the
// default AttemptTimeout, so that an attempt that can't connect ends as one that
// was not sent.
const connectTimeout = 3 * time.Second

// pingTimeout is how long an HTTP/2 connection may be silent until it is sent a
// ping, and how long the ping may then take.
const pingTimeout = 3 * time.Second

// A response to CONNECT is an error of the proxy. Its status would otherwise look
// like the server's.
var (
	errProxyRefused = errors.New("refused to connect")
	errProxyFailed  = errors.New("failed to connect")
)

// A transport chooses the http.RoundTripper of each attempt: the user's, or else
// our own. If a program has replaced http.DefaultTransport with something that
// isn't an *http.Transport, such as a fake, then that, as long as it is there.
type transport struct {
	given     http.RoundTripper
	plainHTTP bool // the base URL is not https
	own       atomic.Pointer[ownTransport]
}

// An ownTransport is our copy of an http.DefaultTransport.
type ownTransport struct {
	*http.Transport
	original *http.Transport
}

func (t *transport) current() http.RoundTripper {
	if t.given != nil {
		return t.given
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

// giveUp makes the attempts that follow use a fresh copy, because a connection of
// used is silent, and others may be as well. Closing only the idle connections
// of used would not do: an HTTP/2 connection isn't idle as long as a canceled
// request counts. If several attempts give up the same copy, the first one does.
func (t *transport) giveUp(used http.RoundTripper) {
	own, ok := used.(*ownTransport)
	if ok && t.own.CompareAndSwap(own, newOwnTransport(own.original, t.plainHTTP)) {
		own.CloseIdleConnections()
	}
}

func (t *transport) closeIdleConnections() {
	if own := t.own.Load(); own != nil {
		own.CloseIdleConnections()
	}
	if t.given != nil {
		(&http.Client{Transport: t.given}).CloseIdleConnections()
	}
}

// newOwnTransport returns a copy of original that suits many calls to one host.
func newOwnTransport(original *http.Transport, plainHTTP bool) *ownTransport {
	t := original.Clone()
	// Clone keeps the TLS configuration of a transport that speaks HTTP/2, but not
	// HTTP/2 itself.
	t.ForceAttemptHTTP2 = true
	t.HTTP2 = cmp.Or(t.HTTP2, new(http.HTTP2Config))
	t.HTTP2.SendPingTimeout = cmp.Or(t.HTTP2.SendPingTimeout, pingTimeout)
	t.HTTP2.PingTimeout = cmp.Or(t.HTTP2.PingTimeout, pingTimeout)

	// With fewer idle connections than concurrent calls, calls under load would
	// connect again and again.
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, 1000)
	t.IdleConnTimeout = cmp.Or(t.IdleConnTimeout, 90*time.Second)
	t.MaxResponseHeaderBytes = maxResponse

	t.TLSHandshakeTimeout = connectTimeout
	//lint:ignore SA1019 a program's own Dial is used, not bypassed
	if t.DialContext == nil && t.Dial == nil {
		t.DialContext = new(net.Dialer).DialContext
	}
	t.DialContext = bounded(t.DialContext, connectTimeout)
	t.DialTLSContext = bounded(t.DialTLSContext, 2*connectTimeout) // connects and does the handshake

	if plainHTTP {
		t.Proxy = nil // which would see the SDK key
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
		verdict := errProxyFailed
		if resp.StatusCode < 500 {
			verdict = errProxyRefused
		}
		return fmt.Errorf("proxy %s %w: %s", proxy.Host, verdict, resp.Status)
	}
	return &ownTransport{Transport: t, original: original}
}

// bounded returns dial with a timeout, or nil if dial is nil.
func bounded(dial dialFunc, timeout time.Duration) dialFunc {
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
