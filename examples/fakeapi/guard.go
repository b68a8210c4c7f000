package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// guard protects a fake that runs on the same machine as a browser from the web pages
// of other sites. It responds with 403 to cross-origin requests that could change
// something. If the fake listens on a loopback address, addr, guard also responds with
// 403 if the Host is neither localhost nor a loopback address: the host name of a page
// could resolve to addr, and then the page could read responses.
func guard(next http.Handler, addr net.Addr) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusForbidden, "cross-origin request")
	}))
	next = sameOrigin.Handler(next)
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname() // without a port
		if ip, _ := netip.ParseAddr(host); !strings.EqualFold(host, "localhost") && !ip.Unmap().IsLoopback() {
			writeError(w, http.StatusForbidden, "the host is neither localhost nor a loopback address")
			return
		}
		next.ServeHTTP(w, r)
	})
}
