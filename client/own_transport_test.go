//lint:file-ignore SA1019 programs still set Dial and DialTLS

package client_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
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

// The tests in this file replace http.DefaultTransport, so they are not parallel.

// A plain http.Transport supports HTTP/2, and the Client's copy must too: its TLS
// configuration still offers h2, and the server would choose it.
func TestHTTP2DefaultTransports(t *testing.T) {
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
		"custom TLS":       {TLSClientConfig: &tls.Config{RootCAs: roots}},
		"custom dialer":    {TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: new(net.Dialer).DialContext},
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

// A program may have set dial functions, for SOCKS or to control outgoing traffic.
// Without them, the base URLs of this test refuse connections.
func TestOwnTransportDialFunctions(t *testing.T) {
	server := serve(t, http.HandlerFunc(respondOK), withTLS)
	plain := serve(t, http.HandlerFunc(respondOK))
	config := server.Client().Transport.(*http.Transport).TLSClientConfig
	var dials atomic.Int64
	dial := func(network, _ string) (net.Conn, error) {
		dials.Add(1)
		return net.Dial(network, plain.Listener.Addr().String())
	}
	dialTLS := func(network, _ string) (net.Conn, error) {
		dials.Add(1)
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
		"Dial, with DialTLS too":        {"http://" + nowhere, &http.Transport{Dial: dial, DialTLS: refuseToDial}},
		"DialTLS":                       {"https://" + nowhere, &http.Transport{DialTLS: dialTLS}},
		"DialTLS, with DialContext too": {"https://" + nowhere, &http.Transport{DialTLS: dialTLS, DialContext: new(net.Dialer).DialContext}},
		"DialTLSContext": {"https://" + nowhere, &http.Transport{DialTLSContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			return dialTLS(network, addr)
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			setDefaultTransport(t, test.transport)
			dials.Store(0)
			c := newClient(t, client.WithBaseURL(test.baseURL), quick)
			for _, op := range operations {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
			if dials.Load() == 0 {
				t.Error("the program's dial function was not called")
			}
		})
	}
}

func refuseToDial(string, string) (net.Conn, error) { return nil, net.ErrClosed }

// relay starts an HTTP proxy that counts the requests it receives. It refuses plain
// requests, and forwards every tunnel to target.
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

// With plain http, a proxy could read the SDK key and link tokens, so the Client does
// not use one. With https, it does.
func TestPlainHTTPBypassesProxy(t *testing.T) {
	server := serve(t, http.HandlerFunc(respondOK))
	secure := serve(t, http.HandlerFunc(respondOK), withTLS)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	proxyURL, plain, tunnels := relay(t, secure.Listener.Addr().String())
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "gateway.internal:") || strings.EqualFold(addr, "localhost:"+port) {
			addr = server.Listener.Addr().String() // don't depend on the resolver
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
		"loopback address": {baseURL: server.URL},
		"localhost":        {baseURL: "http://localhost:" + port},
		"LOCALHOST":        {baseURL: "http://LOCALHOST:" + port},
		"LocalHost":        {baseURL: "http://LocalHost:" + port},
		"zero http.Client": {baseURL: server.URL, opts: []client.Option{client.WithHTTPClient(new(http.Client))}},
		"not loopback":     {baseURL: "http://gateway.internal", opts: []client.Option{client.WithInsecureHTTP()}},
		"https":            {baseURL: secure.URL, tunnels: true},
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
				t.Errorf("the proxy received %d plain requests and %d tunnels, want tunnels: %t", plain.Load(), tunnels.Load(), test.tunnels)
			}
		})
	}
}

// A Client uses a fake only while it is in http.DefaultTransport, even if the Client
// was created during that time.
func TestReplacedDefaultTransport(t *testing.T) {
	for name, opts := range map[string][]client.Option{
		"no http.Client":   nil,
		"zero http.Client": {client.WithHTTPClient(new(http.Client))},
		"only a timeout":   {client.WithHTTPClient(&http.Client{Timeout: time.Minute})},
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
					t.Errorf("step %d: the fakes received %d and %d requests and the server %d, want %d, %d and %d",
						i, first.attempts(), second.attempts(), reached.Load(), step.first, step.second, step.reached)
				}
			}
		})
	}
}

// A program's own HTTP/2 implementation keeps its connections outside of the
// copies of a transport, so the Client must not use it.
func TestOwnTransportHTTP2(t *testing.T) {
	server := serve(t, http.HandlerFunc(respondOK), http2)
	original := server.Client().Transport.(*http.Transport).Clone()
	original.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{"h2": func(string, *tls.Conn) http.RoundTripper {
		return fails(errors.New("the program's own HTTP/2 was used"))
	}}
	setDefaultTransport(t, original)
	if _, err := validate.call(t.Context(), newClient(t, quick, client.WithBaseURL(server.URL))); err != nil {
		t.Error(err)
	}
}
