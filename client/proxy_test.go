package client_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The tests in this file replace http.DefaultTransport, so they are not parallel.

const (
	proxyHost     = "proxy.internal"
	proxyPassword = "pa55-of-the-proxy"
)

// refusingProxy sets http.DefaultTransport to a transport with a proxy, proxyHost,
// that responds to every CONNECT with status.
func refusingProxy(t *testing.T, status int, user *url.Userinfo) (connects *atomic.Int64) {
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
	setDefaultTransport(t, &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxyHost + ":3128", User: user}),
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if to != proxyHost+":3128" {
				return nil, fmt.Errorf("dialed %s, bypassing the proxy", to)
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
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
					connects := refusingProxy(t, test.status, user)
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

// With plain http, a proxy could read the SDK key and link tokens, so the Client does
// not use one. With https, it does.
func TestPlainHTTPBypassesProxy(t *testing.T) {
	for name, test := range map[string]struct {
		baseURL string
		opts    []client.Option
		proxy   bool
	}{
		"loopback address": {baseURL: "http://127.0.0.1"},
		"localhost":        {baseURL: "http://localhost"},
		"LOCALHOST":        {baseURL: "http://LOCALHOST:8080"},
		"LocalHost":        {baseURL: "http://LocalHost"},
		"zero http.Client": {baseURL: "http://[::1]", opts: []client.Option{client.WithHTTPClient(new(http.Client))}},
		"not loopback":     {baseURL: "http://gateway.internal", opts: []client.Option{client.WithInsecureHTTP()}},
		"https":            {baseURL: "https://example.com", proxy: true},
	} {
		protocol := "HTTP/1.1"
		if test.proxy {
			protocol = "HTTP/2"
		}
		withPipes(t, name, protocol, respondOK, func(t *testing.T, server *pipeServer) {
			asked := false
			server.transport.Proxy = func(*http.Request) (*url.URL, error) {
				asked = true
				return nil, nil
			}
			c := newClient(t, append(test.opts, client.WithBaseURL(test.baseURL))...)
			for _, op := range operations {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
			if asked != test.proxy {
				t.Errorf("net/http asked for the proxy: %t, want %t", asked, test.proxy)
			}
		})
	}
}
