package client_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The tests in this file replace http.DefaultTransport, so they are not parallel.

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
			t.Run(name+"/"+op.name, func(t *testing.T) {
				withPipes(t, test.protocol, respondOK, func(t *testing.T, server *pipeServer) {
					server.dialTakes, server.acceptTakes = test.dialTakes, test.acceptTakes
					var attempts []client.Attempt
					start := time.Now()
					_, err := op.call(t.Context(), newClient(t, client.WithBaseURL(server.baseURL), record(&attempts)))
					t.Logf("%v after %d attempts and %v", err, len(attempts), time.Since(start))
					if want := test.dialTakes + test.acceptTakes; err != nil || len(attempts) != 1 || time.Since(start) != want {
						t.Errorf("got %v after %d attempts and %v, want success after 1 attempt and %v", err, len(attempts), time.Since(start), want)
					}
				})
			})
		}
	}
}

// net.Dialer divides the time until its context's deadline among the addresses of a
// host. net/http dials without a deadline, and then a dead first address would use up
// all of the call's time.
func TestDeadFirstAddress(t *testing.T) {
	// Package net makes a channel in its first lookup, which must not belong to a bubble.
	resolver := net.Resolver{PreferGo: true, Dial: nameserver("127.0.0.1", "127.0.0.2")}
	if addrs, err := resolver.LookupHost(t.Context(), "two-addresses.example"); err != nil || len(addrs) != 2 {
		t.Fatalf("got %q, %v, want two addresses", addrs, err)
	}
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			withPipes(t, "HTTP/1.1", respondOK, func(t *testing.T, server *pipeServer) {
				var dead atomic.Value // the first address
				var second atomic.Bool
				dialer := net.Dialer{
					Timeout:  30 * time.Second, // as in http.DefaultTransport
					Resolver: &net.Resolver{PreferGo: true, Dial: resolver.Dial},
					ControlContext: func(ctx context.Context, _, addr string, _ syscall.RawConn) error {
						if dead.CompareAndSwap(nil, addr); addr == dead.Load() {
							<-ctx.Done()
							return ctx.Err()
						}
						second.Store(true)
						return errors.New("connects in memory") // and therefore not here
					},
				}
				server.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if _, err := dialer.DialContext(ctx, network, addr); !second.Load() {
						return nil, err
					}
					return server.dial(ctx, network, addr)
				}
				start := time.Now()
				_, err := op.call(t.Context(), newClient(t, client.WithBaseURL("http://two-addresses.example"), client.WithInsecureHTTP()))
				t.Logf("%v after %v", err, time.Since(start))
				if err != nil || time.Since(start) > 5*time.Second {
					t.Errorf("got %v after %v, want success within 5 s", err, time.Since(start))
				}
			})
		})
	}
}

// nameserver returns a Dial function for net.Resolver. It connects to a nameserver
// that has the given IPv4 addresses for every name.
func nameserver(addresses ...string) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe() // not a net.PacketConn, so messages begin with their length
		go func() {
			defer theirs.Close()
			var length [2]byte
			if _, err := io.ReadFull(theirs, length[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(theirs, query); err != nil {
				return
			}
			const header, typeA = 12, 1
			question := query[header:]
			question = question[:strings.IndexByte(string(question), 0)+5] // name, type, class
			var records []byte
			if n := len(question); question[n-3] == typeA {
				for _, addr := range addresses {
					records = append(records, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 60, 0, 4)
					records = append(records, net.ParseIP(addr).To4()...)
				}
			}
			reply := []byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, byte(len(records) / 16), 0, 0, 0, 0}
			reply = append(append(reply, question...), records...)
			_, _ = theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
		}()
		return ours, nil
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
				t.Run(name+"/"+kind+"/"+op.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var attempts []client.Attempt
						_, err := op.call(t.Context(), newClient(t, append(use(t), client.WithTimeout(0), record(&attempts))...))
						if err == nil || !test.check(err) || len(attempts) != test.attempts {
							t.Errorf("got %v after %d attempts, want %d", err, len(attempts), test.attempts)
						}
						time.Sleep(time.Hour) // until net/http has ended its dials
					})
				})
			}
		}
	}
}

// If an attempt timed out before it had a connection, its error says so.
func TestTimeoutBeforeConnected(t *testing.T) {
	for name, test := range map[string]struct {
		protocol               string
		dialTakes, acceptTakes time.Duration
		connected              bool
	}{
		"dial":          {"HTTP/1.1", time.Minute, 0, false},
		"TLS handshake": {"HTTP/2", 0, time.Minute, false},
		"request":       {"HTTP/1.1", 0, 0, true},
		"TLS request":   {"HTTP/2", 0, 0, true},
	} {
		for limit, opts := range map[string][]client.Option{"attempt": nil, "call": {client.WithTimeout(2 * time.Second)}} {
			for _, op := range operations {
				t.Run(name+"/"+limit+"/"+op.name, func(t *testing.T) {
					withPipes(t, test.protocol, hangOnWire, func(t *testing.T, server *pipeServer) {
						server.dialTakes, server.acceptTakes = test.dialTakes, test.acceptTakes
						server.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
							return server.dial(context.WithoutCancel(ctx), network, addr) // so that only the attempt times out
						}
						var attempts []client.Attempt
						_, err := op.call(t.Context(), newClient(t, append(opts, client.WithBaseURL(server.baseURL), record(&attempts))...))
						for _, err := range allErrors(err, attempts) {
							checkContainsOnce(t, "timed out", err)
							if text := err.Error(); strings.Contains(text, "connect") == test.connected {
								t.Errorf("%q mentions the connection: %t, want %t", text, test.connected, !test.connected)
							}
						}
					})
				})
			}
		}
	}
}

// A dial error from a transport that does not use net/http proves nothing: the
// request may have been sent before.
func TestDialErrorOfForeignTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(fails(dialError(syscall.ECONNREFUSED)))
		if _, err := generate.call(t.Context(), newClient(t, via(s))); err == nil || s.attempts() != 2 {
			t.Errorf("got %v after %d attempts, want 2", err, s.attempts())
		}
	})
}

func anyError(err error) bool { return err != nil }

func checkContainsOnce(t *testing.T, want string, err error) {
	t.Helper()
	if text := err.Error(); strings.Count(text, want) != 1 || strings.Count(text, "deadline exceeded") > 1 {
		t.Errorf("%q does not contain %q once", text, want)
	}
}
