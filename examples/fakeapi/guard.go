package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// guard keeps web pages of others away from a fake that runs on the same machine as
// the browser. It responds with 403 to cross-origin requests that could change
// something. If addr, where the fake listens, is a loopback address, it also does so
// to requests for hosts other than localhost and loopback addresses: a page may have
// made its own host resolve to addr, and could then read responses.
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
