package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var (
	loopback = &net.TCPAddr{IP: net.IPv6loopback, Port: 8090}
	anywhere = &net.TCPAddr{IP: net.IPv4zero, Port: 8090}
)

// guarded sends a request to a fake that listens on addr.
func guarded(addr net.Addr, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	guard(newServer(key, time.Minute), addr).ServeHTTP(w, r)
	return w
}

func TestCrossOrigin(t *testing.T) {
	for name, test := range map[string]struct {
		method, header, value string
		status                int
	}{
		"no browser":               {"POST", "", "", 204},
		"the usage in a browser":   {"POST", "Sec-Fetch-Site", "none", 204},
		"same origin":              {"POST", "Sec-Fetch-Site", "same-origin", 204},
		"cross-site":               {"POST", "Sec-Fetch-Site", "cross-site", 403},
		"cross-site PUT":           {"PUT", "Sec-Fetch-Site", "cross-site", 403},
		"another port":             {"DELETE", "Sec-Fetch-Site", "same-site", 403},
		"cross-site, old browser":  {"POST", "Origin", "https://evil.example", 403},
		"cross-site, sandboxed":    {"POST", "Origin", "null", 403},
		"a link from another site": {"GET", "Sec-Fetch-Site", "cross-site", 404},
	} {
		t.Run(name, func(t *testing.T) {
			for _, addr := range []net.Addr{loopback, anywhere} {
				r := httptest.NewRequest(test.method, "http://localhost:8090/_fake/reset", nil)
				if test.header != "" {
					r.Header.Set(test.header, test.value)
				}
				w := guarded(addr, r)
				if w.Code != test.status {
					t.Errorf("on %s: got %d %s, want %d", addr, w.Code, w.Body, test.status)
				}
				if test.status == 403 && strings.TrimSpace(w.Body.String()) != `{"error":{"code":403,"message":"cross-origin request"}}` {
					t.Errorf("on %s: got %s", addr, w.Body)
				}
			}
		})
	}
}

func TestHost(t *testing.T) {
	for host, onLoopback := range map[string]int{
		"localhost":              200,
		"LocalHost:8090":         200,
		"127.0.0.1:8090":         200,
		"127.1.2.3":              200,
		"[::1]:8090":             200,
		"[::ffff:127.0.0.1]":     200,
		"evil.example:8090":      403, // resolves to a loopback address, after rebinding
		"localhost.evil.example": 403,
		"127.0.0.1.evil.example": 403,
		"0.0.0.0:8090":           403,
		"192.0.2.1:8090":         403,
		"[::2]:8090":             403,
		"":                       403,
	} {
		t.Run(host, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Host = host
			if w := guarded(loopback, r); w.Code != onLoopback {
				t.Errorf("on loopback: got %d %s, want %d", w.Code, w.Body, onLoopback)
			}
			if w := guarded(anywhere, r); w.Code != 200 { // such as in another container
				t.Errorf("on all addresses: got %d %s, want 200", w.Code, w.Body)
			}
		})
	}
}
