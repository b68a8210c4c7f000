//lint:file-ignore SA1019 programs still set Dial and DialTLS

package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// countingJar counts how often it is used.
type countingJar struct{ used int }

func (j *countingJar) SetCookies(*url.URL, []*http.Cookie) { j.used++ }

func (j *countingJar) Cookies(*url.URL) []*http.Cookie {
	j.used++
	return []*http.Cookie{{Name: "a", Value: "1"}}
}

// Only the Transport and the Timeout of an http.Client are used, and copied.
func TestHTTPClientNotModified(t *testing.T) {
	t.Parallel()
	s := newScript(responds(302, "", "Location", "https://elsewhere.example/", "Set-Cookie", "b=2"))
	called := false
	jar := new(countingJar)
	hc := &http.Client{
		Transport:     s,
		Timeout:       time.Minute,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { called = true; return nil },
	}
	before := *hc
	c := newClient(t, client.WithHTTPClient(hc))
	_, err := validate.call(t.Context(), c)
	if got := asResponse(t, err).StatusCode; got != 302 || called {
		t.Errorf("got status %d, want 302; CheckRedirect was called: %t", got, called)
	}
	if jar.used > 0 || s.requests[0].Header.Get("Cookie") != "" {
		t.Errorf("the Jar was used %d times; the request has cookies %q", jar.used, s.requests[0].Header.Get("Cookie"))
	}
	if hc.Transport != before.Transport || hc.Timeout != before.Timeout || hc.CheckRedirect == nil || hc.Jar != before.Jar {
		t.Errorf("the http.Client was changed: %+v", hc)
	}
	hc.Transport = roundTripFunc(func(*http.Request) (*http.Response, error) {
		panic("the Client uses the http.Client itself, not a copy")
	})
	_, _ = validate.call(t.Context(), c)
}

// The Client must not reset a stream after it has read the whole response.
func TestHTTP2StreamsNotReset(t *testing.T) {
	t.Parallel()
	var resets atomic.Int64
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(validated)))
		_, _ = io.WriteString(w, validated)
		_ = http.NewResponseController(w).Flush() // so that the end of the stream is a separate frame
		select {
		case <-r.Context().Done():
			resets.Add(1)
		case <-time.After(20 * time.Millisecond):
		}
	}), http2)
	c := newClient(t, client.WithBaseURL(server.URL))
	for range 5 {
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if resets.Load() != 0 {
		t.Errorf("%d of 5 streams were reset", resets.Load())
	}
}

// The following tests replace http.DefaultTransport, so they are not parallel.

// A plain http.Transport supports HTTP/2, and the Client's copy must too: its TLS
// configuration still offers h2, and the server would choose it.
func TestHTTP2DefaultTransports(t *testing.T) {
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
		respondOK(w, r)
	}), http2)
	trust := func() *tls.Config { return userTransport().TLSClientConfig }
	roots := trust().RootCAs
	used := func(tr *http.Transport) *http.Transport {
		tr.Clone() // sets TLSClientConfig up for HTTP/2, as the first request does
		tr.TLSClientConfig.RootCAs = roots
		return tr
	}
	for name, tr := range map[string]*http.Transport{
		"plain":            used(&http.Transport{}),
		"with limits":      used(&http.Transport{MaxIdleConnsPerHost: 5}),
		"forced":           {TLSClientConfig: trust(), ForceAttemptHTTP2: true},
		"custom TLS":       {TLSClientConfig: trust()},
		"custom dialer":    {TLSClientConfig: trust(), DialContext: new(net.Dialer).DialContext},
		"h2 in NextProtos": {TLSClientConfig: &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}}},
		// It keeps its connections outside of the copies of a transport, so the Client
		// must not use it.
		"its own HTTP/2": {TLSClientConfig: trust(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{
			"h2": func(string, *tls.Conn) http.RoundTripper {
				return fails(errors.New("the program's own HTTP/2 was used"))
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			setDefaultTransport(t, tr)
			c := newClient(t, client.WithBaseURL(server.URL), quick)
			for _, op := range operations {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A program may have set dial functions, for SOCKS or to control outgoing traffic.
// Without them, the base URLs of this test refuse connections.
func TestOwnTransportDialFunctions(t *testing.T) {
	server := serve(t, http.HandlerFunc(respondOK), withTLS)
	plain := serve(t, http.HandlerFunc(respondOK))
	config := userTransport().TLSClientConfig
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
		"Dial, with DialTLS too": {"http://" + nowhere, &http.Transport{Dial: dial, DialTLS: func(string, string) (net.Conn, error) {
			return nil, net.ErrClosed
		}}},
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

// A Client uses a fake only while it is in http.DefaultTransport, whether it was set
// before or after New.
func TestReplacedDefaultTransport(t *testing.T) {
	for name, opts := range map[string][]client.Option{
		"zero http.Client": {client.WithHTTPClient(new(http.Client))},
		"only a timeout":   {client.WithHTTPClient(&http.Client{Timeout: time.Minute})},
		"no http.Client":   nil,
	} {
		withPipes(t, name, "HTTP/1.1", respondOK, func(t *testing.T, server *pipeServer) {
			opts := append(opts, client.WithBaseURL(server.baseURL))
			first, second := newScript(responds(200, validated)), newScript(responds(200, validated))
			before := newClient(t, opts...)
			http.DefaultTransport = first
			after := newClient(t, opts...)
			for i, step := range []struct {
				transport             http.RoundTripper
				first, second, served int
			}{
				{first, 2, 0, 0},
				{server.transport, 2, 0, 2},
				{second, 2, 2, 2},
				{server.transport, 2, 2, 4},
			} {
				http.DefaultTransport = step.transport
				for _, c := range []*client.Client{before, after} {
					if _, err := validate.call(t.Context(), c); err != nil {
						t.Errorf("step %d: %v", i, err)
					}
				}
				if first.attempts() != step.first || second.attempts() != step.second || int(server.served.Load()) != step.served {
					t.Errorf("step %d: the fakes received %d and %d requests and the server %d, want %d, %d and %d",
						i, first.attempts(), second.attempts(), server.served.Load(), step.first, step.second, step.served)
				}
			}
		})
	}
}
