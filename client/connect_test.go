package client_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The tests with a proxy replace http.DefaultTransport, so they are not parallel.

const (
	proxyHost     = "proxy.internal"
	proxyPassword = "pa55-of-the-proxy"
)

// refusingProxy sets http.DefaultTransport to a transport with a proxy, proxyHost,
// that responds to every CONNECT with status.
func refusingProxy(t *testing.T, status int, user *url.Userinfo, own func() error) (connects *atomic.Int64) {
	t.Helper()
	connects = new(atomic.Int64)
	addr := listen(t, func(conn net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		if req.Method == http.MethodConnect {
			connects.Add(1)
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: 0\r\nProxy-Authenticate: Basic realm=%q\r\n\r\n",
			status, http.StatusText(status), req.Header.Get("Proxy-Authorization")) // the proxy repeats the credentials
	})
	transport := &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxyHost + ":3128", User: user}),
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if to != proxyHost+":3128" {
				return nil, fmt.Errorf("dialed %s, bypassing the proxy", to)
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	if own != nil {
		transport.OnProxyConnectResponse = func(context.Context, *url.URL, *http.Request, *http.Response) error { return own() }
	}
	setDefaultTransport(t, transport)
	return connects
}

// A proxy's response to CONNECT must not look like a response from Oneloop, which
// received nothing.
func TestProxyRefusesConnect(t *testing.T) {
	users := map[string]*url.Userinfo{
		"no user":        nil,
		"user":           url.User("u53r-of-the-proxy"),
		"password":       url.UserPassword("u53r-of-the-proxy", proxyPassword),
		"empty password": url.UserPassword("u53r-of-the-proxy", ""),
	}
	for _, test := range []struct{ status, attempts int }{
		{403, 1}, {407, 1}, {499, 1}, // a retry would be refused too
		{500, 3}, {503, 3}, // not processed, so even the POST is retried
	} {
		for name, user := range users {
			for _, op := range operations {
				t.Run(fmt.Sprint(test.status, "/", name, "/", op.name), func(t *testing.T) {
					connects := refusingProxy(t, test.status, user, nil)
					var attempts []client.Attempt
					c := newClient(t, client.WithBaseURL("https://gw.oneloop.example"), quick, record(&attempts))
					_, err := op.call(t.Context(), c)
					if err == nil {
						t.Fatal("the call succeeded")
					}
					if len(attempts) != test.attempts || connects.Load() != int64(test.attempts) {
						t.Errorf("%d attempts and %d CONNECTs, want %d", len(attempts), connects.Load(), test.attempts)
					}
					for _, a := range attempts {
						if a.StatusCode != 0 {
							t.Errorf("the attempt has status %d, which is the proxy's", a.StatusCode)
						}
					}
					for _, err := range allErrors(err, attempts) {
						checkProxyError(t, err, test.status)
					}
				})
			}
		}
	}
}

func checkProxyError(t *testing.T, err error, status int) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	if !strings.Contains(text, proxyHost) || !strings.Contains(text, fmt.Sprint(status)) {
		t.Errorf("%q does not name the proxy and its status", err)
	}
	if strings.Contains(text, "oneloop.example") {
		t.Errorf("%q names the server instead of the proxy", err)
	}
	if strings.Contains(text, proxyPassword) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("u53r-of-the-proxy"))[:20]) {
		t.Errorf("%q shows the proxy's password", err)
	}
	if as[*client.ErrorResponse](err) {
		t.Errorf("the proxy's response became an *ErrorResponse: %v", err)
	}
	for _, sentinel := range []error{client.ErrBadRequest, client.ErrUnauthorized, client.ErrForbidden, client.ErrRateLimited, client.ErrServer, client.ErrInvalidArgument, client.ErrMalformedResponse} {
		if errors.Is(err, sentinel) {
			t.Errorf("%q matches %q", err, sentinel)
		}
	}
}

// The Client calls an OnProxyConnectResponse function that the program has set.
func TestOnProxyConnectResponse(t *testing.T) {
	errOwn := errors.New("refused by the program")
	for name, own := range map[string]error{"returns nil": nil, "returns an error": errOwn} {
		t.Run(name, func(t *testing.T) {
			var called atomic.Int64
			connects := refusingProxy(t, 407, nil, func() error {
				called.Add(1)
				return own
			})
			c := newClient(t, client.WithBaseURL("https://gw.oneloop.example"), quick)
			_, err := validate.call(t.Context(), c)
			if err == nil || called.Load() == 0 || called.Load() != connects.Load() {
				t.Errorf("got %v after %d calls for %d responses", err, called.Load(), connects.Load())
			}
			if own != nil && !errors.Is(err, errOwn) {
				t.Errorf("got %v, want the program's error", err)
			}
			if own == nil && err != nil {
				checkProxyError(t, err, 407)
			}
		})
	}
}

// A POST that a SOCKS proxy could not forward was not processed.
func TestSOCKSProxyRefuses(t *testing.T) {
	addr := listen(t, func(conn net.Conn) {
		b := make([]byte, 64)
		_, _ = conn.Read(b)
		_, _ = conn.Write([]byte{5, 0})
		_, _ = conn.Read(b)
		_, _ = conn.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0}) // connection refused
	})
	setDefaultTransport(t, &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "socks5", Host: addr})})
	var attempts []client.Attempt
	_, err := generate.call(t.Context(), newClient(t, quick, record(&attempts)))
	if err == nil || len(attempts) != 3 {
		t.Errorf("got %v after %d attempts, want 3", err, len(attempts))
	}
}

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
		TLSClientConfig: userTransport().TLSClientConfig,
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
		for _, op := range operations {
			t.Run(op.name+"/"+name, func(t *testing.T) {
				transport := userTransport()
				test.configure(transport)
				var attempts []client.Attempt
				c := newClient(t, via(transport), client.WithBaseURL(test.server(t)), quick, record(&attempts))
				if _, err := op.call(t.Context(), c); err == nil || len(attempts) != test.attempts {
					t.Errorf("got %v after %d attempts, want %d", err, len(attempts), test.attempts)
				}
			})
		}
	}
}
