package client_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A frameServer speaks just enough HTTP/2 for tests that need control over single
// frames.
type frameServer struct {
	baseURL   string
	tlsConfig *tls.Config // for its clients
	requests  atomic.Int64

	config *tls.Config
	handle func(c frameConn, stream uint32) bool
}

// A frameConn is a connection of a frameServer.
type frameConn struct{ io.ReadWriter }

// newFrameServer starts a server that calls handle with the stream of each request.
// If handle returns false, the server closes the connection.
func newFrameServer(tb testing.TB, handle func(c frameConn, stream uint32) bool) *frameServer {
	tb.Helper()
	certs := httptest.NewTLSServer(nil)
	defer certs.Close()
	s := &frameServer{
		tlsConfig: certs.Client().Transport.(*http.Transport).TLSClientConfig,
		config:    &tls.Config{Certificates: certs.TLS.Certificates, NextProtos: []string{"h2"}},
		handle:    handle,
	}
	s.baseURL = "https://" + listen(tb, s.serve)
	return s
}

func (s *frameServer) serve(plain net.Conn) {
	conn := tls.Server(plain, s.config)
	defer conn.Close()
	c := frameConn{conn}
	_, _ = io.CopyN(io.Discard, c, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
	c.frame(4, 0, 0) // SETTINGS
	for {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:])>>8))
		kind, stream := head[3], binary.BigEndian.Uint32(head[5:])
		const data, headers, endStream = 0, 1, 1
		if kind != data && kind != headers || head[4]&endStream == 0 {
			continue
		}
		s.requests.Add(1)
		if !s.handle(c, stream) {
			return
		}
	}
}

func (c frameConn) frame(kind, flags byte, stream uint32, payload ...byte) {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	head = append(head, flags)
	head = binary.BigEndian.AppendUint32(head, stream)
	_, _ = c.Write(append(head, payload...))
}

// respond sends a response that is successful for both operations.
func (c frameConn) respond(stream uint32) {
	const contentType = "application/json"
	block := append([]byte{0x88, 0x0f, 0x10, byte(len(contentType))}, contentType...) // :status 200, content-type
	c.frame(1, 4, stream, block...)                                                   // HEADERS, END_HEADERS
	c.frame(0, 1, stream, []byte(either)...)                                          // DATA, END_STREAM
}

// goaway says that no stream after last was processed.
func (c frameConn) goaway(last uint32) {
	c.frame(7, 0, 0, binary.BigEndian.AppendUint64(nil, uint64(last)<<32)...)
}

func (c frameConn) protocolError(stream uint32) { c.frame(3, 0, stream, 0, 0, 0, 1) }

// transport returns a transport that trusts the server.
func (s *frameServer) transport() *http.Transport {
	return &http.Transport{TLSClientConfig: s.tlsConfig, ForceAttemptHTTP2: true}
}

// Servers close an HTTP/2 connection after some number of requests; in nginx this is
// keepalive_requests. They refuse later requests on the connection, and net/http
// resends them. Under load, this may happen to one request several times in a row.
// The call must still succeed.
func TestGoawayFromHealthyServer(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			const inARow = 4
			var requests atomic.Int64
			server := newFrameServer(t, func(c frameConn, stream uint32) bool {
				if requests.Add(1)%(inARow+1) != 0 {
					c.goaway(0)
					return false
				}
				c.goaway(stream)
				c.respond(stream)
				return true
			})
			c := newClient(t, via(server.transport()), client.WithBaseURL(server.baseURL), quick)
			for range 3 {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// If a server refuses every request with GOAWAY ("not processed"), net/http resends
// the request without end.
func TestGoawayRequestLimit(t *testing.T) {
	t.Parallel()
	for calls, attemptTimeout := range map[int]time.Duration{
		1:  0,
		16: 100 * time.Millisecond, // with many requests, net/http waits for seconds before it resends some
	} {
		for _, keepOpen := range []bool{false, true} {
			for _, op := range operations {
				t.Run(fmt.Sprintf("%d at once/connection stays open %t/%s", calls, keepOpen, op.name), func(t *testing.T) {
					t.Parallel()
					server := newFrameServer(t, func(c frameConn, _ uint32) bool {
						c.goaway(0)
						return keepOpen
					})
					policy := quickPolicy
					policy.AttemptTimeout = attemptTimeout
					c := newClient(t, via(server.transport()), client.WithBaseURL(server.baseURL), client.WithRetryPolicy(policy))
					var wg sync.WaitGroup
					for range calls {
						wg.Go(func() {
							_, err := op.call(t.Context(), c)
							if err == nil || errors.Is(err, context.Canceled) || calls == 1 && errors.Is(err, context.DeadlineExceeded) {
								t.Errorf("got %v, want an error other than the context's", err)
							}
						})
					}
					wg.Wait()
					limit := 16 * calls
					switch {
					case calls == 1 && op.post:
						limit = 2 * 4 // attempts, and connections of each
					case calls == 1:
						limit = 3 * 4
					}
					if got := int(server.requests.Load()); got > limit || calls == 1 && got == 0 { // 16 handshakes may take too long
						t.Errorf("%d requests for %d calls, want at most %d", got, calls, limit)
					}
				})
			}
		}
	}
}

// The server acts on a POST, and then resets the stream and closes the connection.
// net/http dials again to resend the POST, and fails because the server is down. A
// dial error normally means that nothing was sent, but not here.
func TestRedialFailure(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			var down atomic.Bool
			server := newFrameServer(t, func(c frameConn, stream uint32) bool {
				down.Store(true)
				c.goaway(stream)
				c.protocolError(stream)
				return false
			})
			closed := closedPort(t)
			transport := server.transport()
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if down.Load() {
					addr = closed
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			var attempts []client.Attempt
			c := newClient(t, via(transport), client.WithBaseURL(server.baseURL), record(&attempts),
				client.WithObserver(func(context.Context, client.Attempt) { down.Store(false) }), // the next attempt can connect
				client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 6, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}))
			_, err := op.call(t.Context(), c)
			if err == nil {
				t.Fatal("the call succeeded")
			}
			limit := int64(6)
			if op.post {
				limit = 2
			}
			t.Log(err)
			if got := server.requests.Load(); got == 0 || got > limit {
				t.Errorf("the server received %d requests in %d attempts, want at most %d", got, len(attempts), limit)
			}
		})
	}
}

// If a server refuses a stream, net/http sends the request again on the same
// connection. Nothing is closed. Not parallel: it replaces http.DefaultTransport.
func TestRefusedStreams(t *testing.T) {
	for _, op := range operations {
		for _, kind := range []string{"own transport", "custom transport"} {
			t.Run(kind+"/"+op.name, func(t *testing.T) {
				server := newFrameServer(t, func(c frameConn, stream uint32) bool {
					c.frame(3, 0, stream, 0, 0, 0, 7) // RST_STREAM, REFUSED_STREAM
					return true
				})
				synctest.Test(t, func(t *testing.T) {
					transport := server.transport()
					transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
						ours, theirs := pipe()
						go server.serve(theirs)
						return ours, nil
					}
					defer transport.CloseIdleConnections()
					var attempts []client.Attempt
					opts := []client.Option{client.WithTimeout(0), client.WithBaseURL(server.baseURL), record(&attempts)}
					if kind == "own transport" {
						setDefaultTransport(t, transport)
					} else {
						opts = append(opts, via(transport))
					}
					c := newClient(t, opts...)
					var wg sync.WaitGroup
					for range 5 { // with a single stream, the connection counts as idle
						wg.Go(func() {
							_, err := op.call(t.Context(), c)
							checkNotClosed(t, allErrors(err, nil))
						})
					}
					wg.Wait()
					checkNotClosed(t, allErrors(nil, attempts))
					c.CloseIdleConnections()
					time.Sleep(time.Hour) // until replaced transports have closed theirs
				})
			})
		}
	}
}

func checkNotClosed(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		if strings.Contains(err.Error(), "closed") {
			t.Errorf("%q, but no connection was closed", err)
		}
	}
}

// A transport may retry on its own. However many connections it uses, the response
// that it returns counts.
func TestTransportThatRetries(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }),
				func(s *httptest.Server) { s.Config.SetKeepAlivesEnabled(false) })
			base := new(http.Transport)
			transport := roundTripFunc(func(req *http.Request) (resp *http.Response, err error) {
				for range 6 {
					again := req.Clone(req.Context())
					if req.GetBody != nil {
						again.Body, _ = req.GetBody()
					}
					if resp, err = base.RoundTrip(again); err != nil {
						return nil, err
					}
				}
				return resp, nil
			})
			var attempts []client.Attempt
			_, err := op.call(t.Context(), newClient(t, via(transport), client.WithBaseURL(server.URL), quick, record(&attempts)))
			if !errors.Is(err, client.ErrServer) {
				t.Errorf("got %v, want ErrServer", err)
			}
			checkNotClosed(t, allErrors(err, attempts))
		})
	}
}

// pipe is like net.Pipe, but writes to ours don't wait for reads from theirs.
func pipe() (ours, theirs net.Conn) {
	ours, unbuffered := net.Pipe()
	s := &bufferedConn{Conn: unbuffered, buffer: make(chan []byte, 1000)}
	go func() {
		defer close(s.buffer)
		for {
			p := make([]byte, 4<<10)
			n, err := unbuffered.Read(p)
			if err != nil {
				return
			}
			s.buffer <- p[:n]
		}
	}()
	return ours, s
}

type bufferedConn struct {
	net.Conn
	buffer chan []byte
	unread []byte
}

func (c *bufferedConn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		c.unread = <-c.buffer
	}
	if len(c.unread) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}
