//lint:file-ignore SA1019 programs still set Dial and DialTLS

package client_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The tests in this file replace http.DefaultTransport, so none is parallel.

// A program's plain Transport speaks HTTP/2, and so must the Client's copy: TLS
// would still offer h2, and the server would take it up.
func TestHTTP2WithAnyDefaultTransport(t *testing.T) {
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
		respondOK(w, r)
	}), http2)
	roots := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	used := func(tr *http.Transport) *http.Transport {
		tr.Clone() // sets TLSClientConfig up for HTTP/2, as the first request does
		tr.TLSClientConfig.RootCAs = roots
		return tr
	}
	for name, tr := range map[string]*http.Transport{
		"plain":            used(&http.Transport{}),
		"with limits":      used(&http.Transport{MaxIdleConnsPerHost: 5}),
		"forced":           {TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
		"its own TLS":      {TLSClientConfig: &tls.Config{RootCAs: roots}},
		"its own dialer":   {TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: new(net.Dialer).DialContext},
		"h2 in NextProtos": {TLSClientConfig: &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			setDefaultTransport(t, tr)
			c := newClient(t, client.WithBaseURL(server.URL), quick)
			for _, op := range operations {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
			tr.CloseIdleConnections()
		})
	}
}

// A program may have set its own way to the network: for SOCKS, or to control
// what leaves it. The base URL leads nowhere without that.
func TestOwnTransportUsesTheProgramsDialer(t *testing.T) {
	server := serve(t, http.HandlerFunc(respondOK), withTLS)
	plain := serve(t, http.HandlerFunc(respondOK))
	config := server.Client().Transport.(*http.Transport).TLSClientConfig
	var dialed atomic.Int64
	dial := func(network, _ string) (net.Conn, error) {
		dialed.Add(1)
		return net.Dial(network, plain.Listener.Addr().String())
	}
	dialTLS := func(network, _ string) (net.Conn, error) {
		dialed.Add(1)
		return tls.Dial(network, server.Listener.Addr().String(), config)
	}
	nowhere := closedPort(t)
	for name, test := range map[string]struct {
		baseURL   string
		transport *http.Transport
	}{
		"Dial": {"http://" + nowhere, &http.Transport{Dial: dial}},
		"DialContext": {"http://" + nowhere, &http.Transport{DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			return dial(network, addr)
		}}},
		"Dial, with DialTLS beside it":        {"http://" + nowhere, &http.Transport{Dial: dial, DialTLS: refuseToDial}},
		"DialTLS":                             {"https://" + nowhere, &http.Transport{DialTLS: dialTLS}},
		"DialTLS, with DialContext beside it": {"https://" + nowhere, &http.Transport{DialTLS: dialTLS, DialContext: new(net.Dialer).DialContext}},
		"DialTLSContext": {"https://" + nowhere, &http.Transport{DialTLSContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			return dialTLS(network, addr)
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			setDefaultTransport(t, test.transport)
			dialed.Store(0)
			c := newClient(t, client.WithBaseURL(test.baseURL), quick)
			for _, op := range operations {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
			if dialed.Load() == 0 {
				t.Error("the program's dialer was not used")
			}
		})
	}
}

func refuseToDial(string, string) (net.Conn, error) { return nil, net.ErrClosed }

// relay is an HTTP proxy that counts what it is sent. It forwards neither plain
// requests nor tunnels to anywhere but target.
func relay(t *testing.T, target string) (proxyURL *url.URL, plain, tunnels *atomic.Int64) {
	t.Helper()
	plain, tunnels = new(atomic.Int64), new(atomic.Int64)
	addr := listen(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if req.Method != http.MethodConnect {
			plain.Add(1)
			_, _ = io.WriteString(conn, "HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			return
		}
		tunnels.Add(1)
		out, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer out.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(out, in)
			_ = out.Close()
		}()
		_, _ = io.Copy(conn, out)
	})
	return &url.URL{Scheme: "http", Host: addr}, plain, tunnels
}

// Through a proxy, plain http would hand it the key and link tokens in the
// clear. An https URL goes through it, encrypted.
func TestPlainHTTPNeverGoesThroughAProxy(t *testing.T) {
	server := serve(t, http.HandlerFunc(respondOK))
	secure := serve(t, http.HandlerFunc(respondOK), withTLS)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	proxyURL, plain, tunnels := relay(t, secure.Listener.Addr().String())
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "gateway.internal:") || strings.EqualFold(addr, "localhost:"+port) {
			addr = server.Listener.Addr().String() // whatever the resolver thinks of the name
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	setDefaultTransport(t, &http.Transport{
		Proxy:           http.ProxyURL(proxyURL),
		DialContext:     dial,
		TLSClientConfig: secure.Client().Transport.(*http.Transport).TLSClientConfig,
	})
	for name, test := range map[string]struct {
		baseURL string
		opts    []client.Option
		tunnels bool
	}{
		"loopback address":    {baseURL: server.URL},
		"localhost":           {baseURL: "http://localhost:" + port},
		"LOCALHOST":           {baseURL: "http://LOCALHOST:" + port},
		"LocalHost":           {baseURL: "http://LocalHost:" + port},
		"an http.Client":      {baseURL: server.URL, opts: []client.Option{client.WithHTTPClient(new(http.Client))}},
		"another host's http": {baseURL: "http://gateway.internal", opts: []client.Option{client.WithInsecureHTTP()}},
		"https":               {baseURL: secure.URL, tunnels: true},
	} {
		t.Run(name, func(t *testing.T) {
			plain.Store(0)
			tunnels.Store(0)
			c := newClient(t, append(test.opts, client.WithBaseURL(test.baseURL), quick)...)
			for _, op := range operations {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
			if plain.Load() != 0 || (tunnels.Load() > 0) != test.tunnels {
				t.Errorf("the proxy got %d requests in the clear and %d tunnels", plain.Load(), tunnels.Load())
			}
		})
	}
}

// A fake is used while it stands in http.DefaultTransport, and no longer, also
// by a Client that was made meanwhile.
func TestFakeInDefaultTransportDoesNotOutliveItself(t *testing.T) {
	for name, opts := range map[string][]client.Option{
		"no http.Client":   nil,
		"zero http.Client": {client.WithHTTPClient(new(http.Client))},
		"its own timeout":  {client.WithHTTPClient(&http.Client{Timeout: time.Minute})},
	} {
		t.Run(name, func(t *testing.T) {
			var reached atomic.Int64
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reached.Add(1)
				respondOK(w, r)
			}))
			standard := http.DefaultTransport
			first, second := newScript(responds(200, validated)), newScript(responds(200, validated))
			setDefaultTransport(t, first)
			c := newClient(t, append(opts, client.WithBaseURL(server.URL), quick)...)
			for i, step := range []struct {
				transport              http.RoundTripper
				first, second, reached int
			}{
				{first, 1, 0, 0},
				{standard, 1, 0, 1},
				{second, 1, 1, 1},
				{standard, 1, 1, 2},
			} {
				http.DefaultTransport = step.transport
				if _, err := validate.call(t.Context(), c); err != nil {
					t.Errorf("step %d: %v", i, err)
				}
				if first.attempts() != step.first || second.attempts() != step.second || int(reached.Load()) != step.reached {
					t.Errorf("step %d: the fakes got %d and %d requests and the server %d, want %d, %d and %d",
						i, first.attempts(), second.attempts(), reached.Load(), step.first, step.second, step.reached)
				}
			}
		})
	}
}
