package client_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

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
	trusting := serve(t, nil, withTLS).Client().Transport.(*http.Transport)
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
				transport := trusting.Clone()
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
