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
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A frameServer speaks just enough HTTP/2 to break it in ways of its own.
type frameServer struct {
	baseURL   string
	tlsConfig *tls.Config // of its clients
	requests  atomic.Int64
}

// frameConn is one of its connections.
type frameConn struct{ io.ReadWriter }

// newFrameServer passes the stream of each request to handle. If that returns
// false, the connection is closed.
func newFrameServer(tb testing.TB, handle func(c frameConn, stream uint32) bool) *frameServer {
	tb.Helper()
	certs := httptest.NewTLSServer(nil)
	defer certs.Close()
	config := &tls.Config{Certificates: certs.TLS.Certificates, NextProtos: []string{"h2"}}
	s := &frameServer{tlsConfig: certs.Client().Transport.(*http.Transport).TLSClientConfig}
	s.baseURL = "https://" + listen(tb, func(plain net.Conn) {
		conn := tls.Server(plain, config)
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
			if !handle(c, stream) {
				return
			}
		}
	})
	return s
}

func (c frameConn) frame(kind, flags byte, stream uint32, payload ...byte) {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	head = append(head, flags)
	head = binary.BigEndian.AppendUint32(head, stream)
	_, _ = c.Write(append(head, payload...))
}

// respond sends a successful response of either operation.
func (c frameConn) respond(stream uint32) {
	const contentType = "application/json"
	block := append([]byte{0x88, 0x0f, 0x10, byte(len(contentType))}, contentType...) // :status 200, content-type
	body := validated[:len(validated)-1] + "," + generated[len(`{`):len(`{"token":"`)+len(testToken)+1] + "}"
	c.frame(1, 4, stream, block...)        // HEADERS, END_HEADERS
	c.frame(0, 1, stream, []byte(body)...) // DATA, END_STREAM
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

// Servers close HTTP/2 connections every so many requests, nginx after
// keepalive_requests. What comes later on such a connection is refused, and
// net/http sends it again. Under load that happens to one request several times
// in a row, and must not cost the call.
func TestGoawayOfAHealthyServerLosesNoCall(t *testing.T) {
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
			transport := server.transport()
			defer transport.CloseIdleConnections()
			c := newClient(t, via(transport), client.WithBaseURL(server.baseURL), quick)
			for range 10 {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A server that refuses every request with GOAWAY ("not processed") is sent it
// again by net/http, without end.
func TestGoawayForeverIsBounded(t *testing.T) {
	t.Parallel()
	const perCall = 16
	policy := client.RetryPolicy{BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}
	hasty := policy
	hasty.AttemptTimeout = 100 * time.Millisecond // net/http waits for seconds before it sends some of many requests again
	for _, op := range operations {
		for calls, policy := range map[int]client.RetryPolicy{1: policy, 16: hasty} {
			t.Run(fmt.Sprintf("%s/%d at once", op.name, calls), func(t *testing.T) {
				t.Parallel()
				server := newFrameServer(t, func(c frameConn, _ uint32) bool {
					c.goaway(0)
					return false
				})
				transport := server.transport()
				defer transport.CloseIdleConnections()
				c := newClient(t, via(transport), client.WithBaseURL(server.baseURL), client.WithRetryPolicy(policy))
				var wg sync.WaitGroup
				for range calls {
					wg.Go(func() {
						_, err := op.call(t.Context(), c)
						if err == nil || errors.Is(err, context.Canceled) || calls == 1 && errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("got %v, want an error that isn't of the context", err)
						}
					})
				}
				wg.Wait()
				got := server.requests.Load()
				t.Logf("%d requests", got)
				if got == 0 || got > int64(perCall*calls) {
					t.Errorf("%d requests for %d calls, want at most %d for each", got, calls, perCall)
				}
			})
		}
	}
}

// Each idle connection of a user's transport has died without a word, as behind
// a NAT gateway. net/http goes through all of them for one GET, and so the call
// must not be ended before that.
func TestDeadIdleConnectionsOfAUsersTransport(t *testing.T) {
	t.Parallel()
	const n = 20
	var dead atomic.Bool
	var arrived atomic.Int64
	together := make(chan struct{})
	base := rawServer(t, func(conn net.Conn, connection, _ int) bool {
		if connection <= n {
			if dead.Load() {
				return false
			}
			if arrived.Add(1) == n {
				close(together)
			}
			<-together // so that there are n connections
		}
		_, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(validated), validated)
		return err == nil
	})
	transport := &http.Transport{MaxIdleConnsPerHost: 2 * n}
	defer transport.CloseIdleConnections()
	c := newClient(t, via(transport), client.WithBaseURL(base), quick)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := validate.call(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	dead.Store(true)
	for range 3 {
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
}

// The server has acted on the POST and then gives up the stream and the
// connection. net/http sends it again by itself, for which it has to dial, and
// nobody listens at that moment. The failing dial must not hide the request that
// was received.
func TestFailingRedialHidesNoRequest(t *testing.T) {
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
			nobody := closedPort(t)
			transport := server.transport()
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if down.Load() {
					addr = nobody
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			defer transport.CloseIdleConnections()
			var attempts []client.Attempt
			c := newClient(t, via(transport), client.WithBaseURL(server.baseURL), record(&attempts),
				client.WithObserver(func(context.Context, client.Attempt) { down.Store(false) }), // it is up again for the next attempt
				client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 6, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}))
			_, err := op.call(t.Context(), c)
			if err == nil {
				t.Fatal("the call succeeded")
			}
			most := int64(6)
			if op.post {
				most = 2
			}
			t.Log(err)
			if got := server.requests.Load(); got == 0 || got > most {
				t.Errorf("the server acted on %d requests in %d attempts, want at most %d", got, len(attempts), most)
			}
		})
	}
}
