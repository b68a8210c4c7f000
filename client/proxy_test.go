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
		{403, 1}, {407, 1}, // a retry would be refused too
		{502, 3}, {503, 3}, // not processed, so even the POST is retried
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
					errs := []error{err}
					for _, a := range attempts {
						errs = append(errs, a.Err)
						if a.StatusCode != 0 {
							t.Errorf("the attempt has status %d, which is the proxy's", a.StatusCode)
						}
					}
					for _, err := range errs {
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
	var response *client.ErrorResponse
	if errors.As(err, &response) {
		t.Errorf("the proxy's response became an *ErrorResponse: %v", response)
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
