package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// connectTimeout bounds dialling and the TLS handshake, each. It is less than
	// an attempt has, so that an attempt that was never sent ends as such.
	connectTimeout = 3 * time.Second

	// dialPatience is how long a dial waits if there are enough connections. It is
	// short, since one of them may turn out to be a dial that nobody answers.
	dialPatience = 20 * time.Millisecond
)

// transport is what sends the attempts: the user's transport, or our own. Where
// a test has put a fake into http.DefaultTransport, before or after it made the
// Client, that is used instead of our own.
func (c *Client) transport() http.RoundTripper {
	if c.base != nil {
		return c.base
	}
	if _, ok := http.DefaultTransport.(*http.Transport); !ok {
		return http.DefaultTransport
	}
	return c.pool.transport
}

// pool is a copy of http.DefaultTransport that is made for many calls to one
// host. net/http dials whenever no connection is idle, and dials on where one
// became idle meanwhile: a burst of calls opens more connections than it has
// calls. pool dials only while there are fewer connections than attempts.
type pool struct {
	transport *http.Transport
	dial      func(ctx context.Context, network, addr string) (net.Conn, error)
	attempts  atomic.Int64 // in flight
	conns     atomic.Int64 // open, or being dialled
}

func newPool(standard *http.Transport) *pool {
	p := &pool{transport: standard.Clone()}
	t := p.transport
	// Fewer idle connections than concurrent calls would mean to dial anew all
	// the time under load; IdleConnTimeout ends those that load no longer needs.
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = max(t.MaxIdleConnsPerHost, 1000)
	t.MaxResponseHeaderBytes = maxAnswer
	t.TLSHandshakeTimeout = connectTimeout
	p.dial = t.DialContext
	if p.dial == nil {
		p.dial = new(net.Dialer).DialContext
	}
	t.DialContext = p.dialContext
	return p
}

var errServed = errors.New("the attempt got another connection")

func (p *pool) dialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	attempt := ctx.Value(connCountKey{}).(*connCount)
	had, start := attempt.got.Load(), time.Now()
	for p.conns.Add(1) > p.attempts.Load() && time.Since(start) < dialPatience {
		p.conns.Add(-1)
		time.Sleep(time.Millisecond)
		if attempt.got.Load() > had {
			return nil, errServed
		}
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := p.dial(ctx, network, addr)
	if err != nil {
		p.conns.Add(-1)
		return nil, err
	}
	return &pooledConn{Conn: conn, closed: sync.OnceFunc(func() { p.conns.Add(-1) })}, nil
}

// pooledConn tells its pool when it is closed.
type pooledConn struct {
	net.Conn
	closed func()
}

func (c *pooledConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
