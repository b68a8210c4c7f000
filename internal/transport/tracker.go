package transport

import (
	"context"
	"net"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"
)

// maxConnections is how many connections a request may use that were not idle.
// Healthy servers require at most four. Before its replays over HTTP/2, net/http
// waits 1, 2 and 4 s, so a fifth connection would come too late.
const maxConnections = 4

// maxIdle is how many idle connections of our own transport may fail for a request
// before the others are closed. A server that has closed two has probably closed all.
const maxIdle = 2

// minSilence is how long a request must have waited for a response before a
// connection is suspected of being dead.
const minSilence = 500 * time.Millisecond

// connections is what a tracker knows about the connections of a request.
type connections struct {
	got, none bool     // whether net/http got one; whether it only asked for one, so that nothing was sent
	last      net.Conn // the latest one
	reused    bool     // whether it had been used before
	opened    int      // how many were not idle, since the latest response
	idle      int      // how many were idle, since the latest response
	gaveUp    bool     // whether the request was canceled because of maxConnections
}

// doubtful reports whether a request that ended without a response, with err, casts
// doubt on the other connections as well: because it broke a reused connection, or
// because it waited on one for long. An HTTP/2 stream error shows that it is alive.
func (c connections) doubtful(ctx context.Context, err error, long bool) bool {
	isStream := strings.Contains(err.Error(), "stream error:")
	return c.reused && !c.gaveUp && !isStream && (ctx.Err() == nil || long)
}

// A tracker follows the connections that net/http uses for one request. net/http
// resends a request when it considers that safe: on the next connection if a server
// has closed an idle one, and without end if an HTTP/2 server sends GOAWAY on every
// connection (golang/go#52459). It may call the trace after the request has ended.
type tracker struct {
	trace httptrace.ClientTrace
	mu    sync.Mutex
	connections
}

// newTracker returns a tracker that calls cancel when the request wants another
// connection after maxConnections. If own is not nil, the tracker closes its idle
// connections after maxIdle have failed.
func newTracker(own *ownTransport, cancel context.CancelFunc) *tracker {
	t := new(tracker)
	t.trace = httptrace.ClientTrace{
		// GotConn would be too late: net/http is writing the request by then.
		GetConn: func(string) {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.none = !t.got
			if t.opened >= maxConnections {
				t.gaveUp = true
				cancel()
			}
		},
		GotConn: func(info httptrace.GotConnInfo) {
			t.mu.Lock()
			defer t.mu.Unlock()
			switch {
			case info.WasIdle:
				t.idle++
			case !info.Reused || info.Conn != t.last: // over HTTP/2, a refused stream stays on its connection
				t.opened++
			}
			// GetConn is no place for this: net/http may have locked its HTTP/2 connections.
			if t.idle > maxIdle && own != nil {
				own.CloseIdleConnections()
			}
			t.got, t.none, t.last, t.reused = true, false, info.Conn, info.Reused
		},
		GotFirstResponseByte: func() { // a transport that retries has received a response
			t.mu.Lock()
			defer t.mu.Unlock()
			t.opened, t.idle = 0, 0
		},
	}
	return t
}
