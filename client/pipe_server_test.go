package client_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A pipeServer is a server with connections in memory, for tests in synctest
// bubbles: a socket would stop the clock.
type pipeServer struct {
	baseURL   string
	transport *http.Transport // reaches the server, whatever the address
	conns     atomic.Int64    // all connections so far
	open      atomic.Int64    // connections that the server has not closed
	served    atomic.Int64    // requests that reached the handler
	wasted    atomic.Int64    // requests that ended a dead connection

	dialTakes, acceptTakes time.Duration

	fate      atomic.Value // a fate
	dead      atomic.Int64 // connections up to this number are dead
	listening chan net.Conn
	stopped   chan struct{}
}

var protocols = []string{"HTTP/1.1", "HTTP/2"}

// withPipes runs a subtest in a bubble, where http.DefaultTransport reaches nothing
// but the server. The protocol "TLS" is HTTP/1.1 over TLS. The test must not be
// parallel.
func withPipes(t *testing.T, name, protocol string, handler http.HandlerFunc, test func(*testing.T, *pipeServer)) {
	t.Helper()
	var certs *httptest.Server
	if protocol == "TLS" || protocol == "HTTP/2" {
		certs = serve(t, nil, withTLS)
		dropChannels()
		defer dropChannels()
	}
	inBubble(t, name, func(t *testing.T) {
		s := newPipeServer(t, handler, certs)
		if protocol == "TLS" {
			s.transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{} // disables HTTP/2
		}
		setDefaultTransport(t, s.transport)
		test(t, s)
	})
}

// dropChannels empties the pools in which Go 1.25's HTTP/2 server keeps channels. A
// channel of one bubble must not be used outside of it.
func dropChannels() {
	if strings.HasPrefix(runtime.Version(), "go1.25") {
		runtime.GC()
		runtime.GC()
	}
}

// newPipeServer starts a server, with HTTP/2 and the certificate of certs if there
// is one.
func newPipeServer(tb testing.TB, handler http.HandlerFunc, certs *httptest.Server) *pipeServer {
	tb.Helper()
	s := &pipeServer{baseURL: "http://localhost", listening: make(chan net.Conn), stopped: make(chan struct{})}
	s.transport = &http.Transport{DialContext: s.dial}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.served.Add(1)
			handler(w, r)
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				s.open.Add(1)
			case http.StateClosed:
				s.open.Add(-1)
			}
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	if certs == nil {
		go server.Serve(s)
	} else {
		s.baseURL = "https://example.com" // the certificate is for this name, too
		s.transport.TLSClientConfig = certs.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		s.transport.ForceAttemptHTTP2 = true
		// The client need not read a session ticket at once, and a pipe has no buffer.
		server.TLSConfig = &tls.Config{Certificates: certs.TLS.Certificates, SessionTicketsDisabled: true}
		go server.ServeTLS(s, "", "")
	}
	tb.Cleanup(func() {
		s.transport.CloseIdleConnections()
		server.Close()
		time.Sleep(time.Hour) // until slow handlers and dials have ended
	})
	return s
}

// Addr, Accept and Close implement net.Listener.
func (s *pipeServer) Addr() net.Addr { return new(net.TCPAddr) }

func (s *pipeServer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.listening:
		return conn, nil
	case <-s.stopped:
		return nil, net.ErrClosed
	}
}

func (s *pipeServer) Close() error {
	close(s.stopped)
	return nil
}

// neighbor is an address whose connections never die.
const neighbor = "neighbor:80"

func (s *pipeServer) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	if err := pause(ctx, s.dialTakes); err != nil {
		return nil, dialError(err)
	}
	number := s.conns.Add(1)
	if addr == neighbor {
		number = math.MaxInt64
	}
	ours, theirs := net.Pipe()
	go func() {
		time.Sleep(s.acceptTakes)
		select {
		case s.listening <- &pipeEnd{Conn: theirs, server: s, number: number}:
		case <-s.stopped:
			theirs.Close()
		}
	}()
	return &pipeEnd{Conn: ours, server: s, number: number, client: true}, nil
}

// pause waits for d, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A fate is what happens to a dead connection when the client uses it.
type fate string

const isClosed, isReset, isSilent fate = "closed", "reset", "silent"

// kill makes all existing connections dead.
func (s *pipeServer) kill(f fate) {
	s.fate.Store(f)
	s.dead.Store(s.conns.Load())
}

// A pipeEnd is an end of a connection of a pipeServer.
type pipeEnd struct {
	net.Conn
	server *pipeServer
	number int64
	client bool
}

func (e *pipeEnd) Read(p []byte) (int, error) {
	for {
		n, err := e.Conn.Read(p)
		if e.number > e.server.dead.Load() {
			return n, err
		}
		switch f := e.server.fate.Load().(fate); {
		case e.client && err == io.EOF && f == isReset:
			return n, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
		case e.client || err != nil:
			return n, err
		case f != isSilent:
			e.server.wasted.Add(1)
			_ = e.Close()
			return 0, io.EOF
		}
	}
}
