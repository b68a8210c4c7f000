package client_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The tests in this file replace http.DefaultTransport, except for TestTLSFailures, so
// they are not parallel.

// Connecting may take seconds and still succeed: if the first nameserver is dead,
// package net asks the second one after 5 s. The Client must be as patient.
func TestSlowDial(t *testing.T) {
	for name, test := range map[string]struct {
		protocol               string
		dialTakes, acceptTakes time.Duration
	}{
		"dial":                   {"HTTP/1.1", 5 * time.Second, 0},
		"dial, TLS":              {"HTTP/2", 5 * time.Second, 0},
		"TLS handshake":          {"HTTP/2", 0, 5 * time.Second},
		"dial and TLS handshake": {"HTTP/2", 3500 * time.Millisecond, 3500 * time.Millisecond},
	} {
		for _, op := range operations {
			withPipes(t, name+"/"+op.name, test.protocol, respondOK, func(t *testing.T, server *pipeServer) {
				server.dialTakes, server.acceptTakes = test.dialTakes, test.acceptTakes
				var attempts []client.Attempt
				start := time.Now()
				_, err := op.call(t.Context(), newClient(t, client.WithBaseURL(server.baseURL), record(&attempts)))
				if want := test.dialTakes + test.acceptTakes; err != nil || len(attempts) != 1 || time.Since(start) != want {
					t.Errorf("got %v after %d attempts and %v, want success after 1 attempt and %v", err, len(attempts), time.Since(start), want)
				}
			})
		}
	}
}

// net.Dialer divides the time until its context's deadline among the addresses of a
// host. net/http dials without a deadline, and then a dead first address would use up
// all of the call's time.
func TestDeadFirstAddress(t *testing.T) {
	for _, op := range operations {
		withPipes(t, op.name, "HTTP/1.1", respondOK, func(t *testing.T, server *pipeServer) {
			server.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				left := 30 * time.Second // the Timeout of the net.Dialer in http.DefaultTransport
				if deadline, ok := ctx.Deadline(); ok {
					left = min(left, time.Until(deadline))
				}
				if err := pause(ctx, left/2); err != nil {
					return nil, dialError(err)
				}
				return server.dial(ctx, network, addr) // the second address
			}
			start := time.Now()
			_, err := op.call(t.Context(), newClient(t, client.WithBaseURL(server.baseURL)))
			if err != nil || time.Since(start) > 5*time.Second {
				t.Errorf("got %v after %v, want success within 5 s", err, time.Since(start))
			}
		})
	}
}

// A resettable is an end of a connection that the other end resets by sending
// resetByte.
type resettable struct{ net.Conn }

const resetByte = 0xff

func (c resettable) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 1 && p[0] == resetByte {
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

// If net/http never had a connection, nothing was sent, regardless of the error. So
// even a POST gets all attempts.
func TestNeverConnected(t *testing.T) {
	errPlain := errors.New("no route")
	refuse := func(err error) func(context.Context, string, string) (net.Conn, error) {
		return func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return nil, dialError(cmp.Or(pause(ctx, 30*time.Second), os.ErrDeadlineExceeded))
	}
	// direct returns a transport with connections to peer.
	direct := func(peer func(net.Conn)) *http.Transport {
		return &http.Transport{TLSHandshakeTimeout: time.Minute, DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				peer(theirs)
			}()
			return resettable{ours}, nil
		}}
	}
	// through returns a transport with a proxy that sends response to CONNECT and
	// then behaves like peer.
	through := func(response string, peer func(net.Conn)) *http.Transport {
		transport := direct(func(conn net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, response)
				peer(conn)
			}
		})
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxyHost})
		return transport
	}
	socks := direct(func(conn net.Conn) {
		b := make([]byte, 64)
		_, _ = conn.Read(b)
		_, _ = conn.Write([]byte{5, 0})
		_, _ = conn.Read(b)
		_, _ = conn.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}) // connection refused
	})
	socks.Proxy = http.ProxyURL(&url.URL{Scheme: "socks5", Host: proxyHost})
	closes := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 4<<10)) }
	resets := func(conn net.Conn) {
		closes(conn)
		_, _ = conn.Write([]byte{resetByte})
	}
	const tunnel = "HTTP/1.1 200 OK\r\n\r\n"
	wasReset, timedOut := is(syscall.ECONNRESET), is(context.DeadlineExceeded)
	unknown := &net.DNSError{Err: "no such host", Name: "tls: x509: ", IsNotFound: true}
	failing := &net.DNSError{Err: "server misbehaving", Name: "tls: x509: ", IsTemporary: true}
	for name, test := range map[string]struct {
		transport *http.Transport
		check     func(error) bool
		attempts  int
	}{
		"TLS handshake, closed":          {direct(closes), is(io.EOF), 3},
		"TLS handshake, reset":           {direct(resets), wasReset, 3},
		"TLS handshake, silent":          {direct(silence), timedOut, 3},
		"CONNECT, closed":                {through("", func(net.Conn) {}), anyError, 3},
		"CONNECT, silent":                {through("", silence), timedOut, 3},
		"CONNECT, not HTTP":              {through("220 mail.example\r\n", silence), anyError, 3},
		"CONNECT, TLS handshake, closed": {through(tunnel, closes), is(io.EOF), 3},
		"CONNECT, TLS handshake, reset":  {through(tunnel, resets), wasReset, 3},
		"CONNECT, TLS handshake, silent": {through(tunnel, silence), timedOut, 3},
		"SOCKS proxy, refused":           {socks, anyError, 3},
		"DialContext, a plain error":     {&http.Transport{DialContext: refuse(errPlain)}, is(errPlain), 3},
		"DialContext, silent":            {&http.Transport{DialContext: hang}, timedOut, 3},
		"DialTLSContext, a plain error":  {&http.Transport{DialTLSContext: refuse(errPlain)}, is(errPlain), 3},
		"DialTLSContext, silent":         {&http.Transport{DialTLSContext: hang}, timedOut, 3},
		"nameserver fails":               {&http.Transport{DialContext: refuse(dialError(failing))}, as[*net.DNSError], 3},
		"unknown host":                   {&http.Transport{DialContext: refuse(dialError(unknown))}, as[*net.DNSError], 1}, // the base URL is wrong
	} {
		for kind, use := range map[string]func(*testing.T) []client.Option{
			"own": func(t *testing.T) []client.Option {
				setDefaultTransport(t, test.transport)
				return nil
			},
			"custom": func(*testing.T) []client.Option { return []client.Option{via(test.transport)} },
			"wrapped": func(*testing.T) []client.Option {
				return []client.Option{via(roundTripFunc(func(req *http.Request) (*http.Response, error) {
					return test.transport.RoundTrip(req.Clone(req.Context()))
				}))}
			},
		} {
			for _, op := range operations {
				inBubble(t, name+"/"+kind+"/"+op.name, func(t *testing.T) {
					var attempts []client.Attempt
					_, err := op.call(t.Context(), newClient(t, append(use(t), client.WithTimeout(0), record(&attempts))...))
					if err == nil || !test.check(err) || len(attempts) != test.attempts {
						t.Errorf("got %v after %d attempts, want %d", err, len(attempts), test.attempts)
					}
					time.Sleep(time.Hour) // until net/http has ended its dials
				})
			}
		}
	}
}

// net/http and crypto/tls export no types for these errors, so the Client matches
// their texts. This test causes the real errors, in case the texts change.
func TestTLSFailures(t *testing.T) {
	t.Parallel()
	secure := func(configure func(*tls.Config)) func(*testing.T) string {
		return func(t *testing.T) string {
			return serve(t, http.NotFoundHandler(), withTLS, func(s *httptest.Server) { configure(s.TLS) }).URL
		}
	}
	raw := func(handle func(net.Conn)) func(*testing.T) string {
		return func(t *testing.T) string { return "https://" + listen(t, handle) }
	}
	asIs := func(*tls.Config) {}
	for name, test := range map[string]struct {
		server    func(*testing.T) string
		configure func(*http.Transport)
		attempts  int
	}{
		"handshake timeout":  {raw(silence), func(tr *http.Transport) { tr.TLSHandshakeTimeout = 20 * time.Millisecond }, 3},
		"unknown authority":  {secure(asIs), func(tr *http.Transport) { tr.TLSClientConfig = nil }, 1},
		"wrong name":         {secure(asIs), func(tr *http.Transport) { tr.TLSClientConfig.ServerName = "canary.invalid" }, 1},
		"no common version":  {secure(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }), func(tr *http.Transport) { tr.TLSClientConfig.MaxVersion = tls.VersionTLS12 }, 1},
		"client certificate": {secure(func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }), func(tr *http.Transport) { tr.TLSClientConfig.MaxVersion = tls.VersionTLS12 }, 1},
		"no common protocol": {secure(func(c *tls.Config) { c.NextProtos = []string{"x"} }), func(tr *http.Transport) { tr.TLSClientConfig.NextProtos = []string{"y"} }, 1},
		"pinned key": {secure(asIs), func(tr *http.Transport) {
			tr.TLSClientConfig.VerifyConnection = func(tls.ConnectionState) error { return errors.New("x509: not the pinned key") }
		}, 1},
		"plain HTTP": {func(t *testing.T) string {
			return strings.Replace(serve(t, http.NotFoundHandler()).URL, "http:", "https:", 1)
		}, func(*http.Transport) {}, 1},
		"plain text": {raw(func(conn net.Conn) {
			_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
			silence(conn)
		}), func(*http.Transport) {}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			transport := userTransport()
			test.configure(transport)
			var attempts []client.Attempt
			c := newClient(t, via(transport), client.WithBaseURL(test.server(t)), quick, record(&attempts))
			if _, err := generate.call(t.Context(), c); err == nil || len(attempts) != test.attempts {
				t.Errorf("got %v after %d attempts, want %d", err, len(attempts), test.attempts)
			}
		})
	}
}
