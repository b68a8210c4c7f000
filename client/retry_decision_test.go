package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// These rows test the table in the package documentation.
func TestRetryDecisions(t *testing.T) {
	t.Parallel()
	const (
		never = 1
		once  = 2
		all   = 3 // the default MaxAttempts
	)
	for name, row := range map[string]struct {
		step      roundTripFunc
		get, post int // attempts
		why       string
	}{
		"408": {responds(408, ""), all, all, "the server did not receive the whole request"},
		"429": {responds(429, ""), all, all, "the server refused to act"},
		"503": {responds(503, ""), all, all, "the server refused to act"},

		"500":                    {responds(500, ""), all, once, "the server may have failed after it created a token"},
		"502":                    {responds(502, ""), all, once, "the server behind the gateway may have acted"},
		"504":                    {responds(504, ""), all, once, "the server behind the gateway may have acted"},
		"connection reset":       {fails(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), all, once, "the request was sent"},
		"broken pipe":            {fails(&net.OpError{Op: "write", Err: syscall.EPIPE}), all, once, "part of the request was sent"},
		"EOF":                    {fails(io.EOF), all, once, "the request was sent"},
		"attempt timeout":        {hangs, all, once, "the server may still act"},
		"attempt timeout, body":  {hangsInBody(200), all, once, "the server has acted"},
		"truncated 200":          {truncated(200), all, once, "the server has acted"},
		"a transport's error":    {fails(errors.New("boom")), all, once, "the request may have been sent"},
		"a transport's deadline": {fails(context.DeadlineExceeded), all, once, "the request may have been sent, and the call's context has not ended"},
		"a transport's cancel":   {fails(context.Canceled), all, once, "the request may have been sent, and the call's context has not ended"},
		"truncated 500":          {truncated(500), all, once, "the status is known, so same as 500"},
		"truncated 503":          {truncated(503), all, all, "the status is known, so same as 503"},
		"500, silent in body":    {hangsInBody(500), all, once, "the status is known, so same as 500"},

		"unknown authority":       {fails(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), never, never, "the certificate will be the same"},
		"unknown authority, bare": {fails(x509.UnknownAuthorityError{}), never, never, "as above, from a transport that verifies certificates itself"},
		"wrong host name":         {fails(&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}}), never, never, "the certificate will be the same"},
		"TLS alert":               {fails(&net.OpError{Op: "remote error", Err: tls.AlertError(40)}), never, never, "the server refuses the client"},
		"server without TLS":      {fails(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), never, never, "the base URL is wrong"},
		"NXDOMAIN":                {fails(dialError(&net.DNSError{Name: "h", IsNotFound: true})), never, never, "the base URL is wrong"},
		"301":                     {responds(301, ""), never, never, "redirects are not followed"},
		"304":                     {responds(304, ""), never, never, "the same request gets the same response"},
		"400":                     {responds(400, ""), never, never, "the same request gets the same response"},
		"401":                     {responds(401, ""), never, never, "the key will be the same"},
		"403":                     {responds(403, ""), never, never, "the key will be the same"},
		"404":                     {responds(404, ""), never, never, "the same request gets the same response"},
		"409":                     {responds(409, ""), never, never, "the same request gets the same response"},
		"425":                     {responds(425, ""), never, never, "not in the contract, and no early data is sent"},
		"499":                     {responds(499, ""), never, never, "not in the contract"},
		"501":                     {responds(501, ""), never, never, "the server does not support the method"},
		"505":                     {responds(505, ""), never, never, "the server does not support the version"},
		"507":                     {responds(507, ""), never, never, "not known to be temporary"},
		"599":                     {responds(599, ""), never, never, "not known to be temporary"},
		"malformed 200":           {responds(200, "{}"), never, never, "the server has acted"},
		"oversize 200":            {responds(200, strings.Repeat(" ", 1<<20+1)), never, never, "the next response would be just as long"},
		"oversize 503":            {responds(503, strings.Repeat(" ", 1<<20+1)), never, never, "the next response would be just as long"},
		"truncated 400":           {truncated(400), never, never, "the status is known, so same as 400"},
		"400, silent in body":     {hangsInBody(400), never, never, "the status is known, so same as 400"},
	} {
		for _, op := range operations {
			want := row.get
			if op.post {
				want = row.post
			}
			t.Run(op.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScript(row.step)
					got, err := op.call(t.Context(), newClient(t, via(s), client.WithTimeout(0)))
					if got != nil || err == nil {
						t.Fatalf("got %v, %v, want an error", got, err)
					}
					if s.attempts() != want {
						t.Errorf("%d attempts, want %d: %s", s.attempts(), want, row.why)
					}
					var response *client.ErrorResponse
					if errors.As(err, &response) && response.Attempts != want {
						t.Errorf("Attempts is %d, want %d", response.Attempts, want)
					}
					if strings.Contains(err.Error(), "giving up") {
						t.Errorf("go-retryablehttp made the error: %v", err)
					}
				})
			})
		}
	}
}

func TestRetrySucceeds(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		for name, first := range map[string]roundTripFunc{"503": responds(503, ""), "500": responds(500, ""), "cut": fails(io.EOF), "silence": hangs, "truncated": truncated(200)} {
			t.Run(op.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if _, err := op.call(t.Context(), newClient(t, via(newScript(first, responds(200, op.ok))))); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

func TestRetriesSendSameRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(503, ""), fails(io.EOF), responds(503, ""), responds(200, generated))
		c := newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 4}))
		if _, err := generate.call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		for i, body := range s.bodies {
			req := s.requests[i]
			if body != `{"customerId":"c1","workspaceId":"w1"}` || req.ContentLength != int64(len(body)) {
				t.Errorf("attempt %d sent %q with length %d", i+1, body, req.ContentLength)
			}
			if got := req.Header["Authorization"]; req.Method != http.MethodPost || len(got) != 1 || got[0] != "Bearer "+testKey {
				t.Errorf("attempt %d sent %s with Authorization %q", i+1, req.Method, got)
			}
		}
	})
}

// If the server may have acted on a POST, the POST is retried once, whatever the
// order of outcomes.
func TestOneAmbiguousRetryPerPOST(t *testing.T) {
	t.Parallel()
	safe, ambiguous := responds(503, ""), responds(500, "")
	for name, test := range map[string]struct {
		steps []roundTripFunc
		want  int
	}{
		"ambiguous only":      {[]roundTripFunc{ambiguous}, 2},
		"safe, ambiguous":     {[]roundTripFunc{safe, ambiguous, ambiguous}, 3},
		"ambiguous, safe":     {[]roundTripFunc{ambiguous, safe, safe, ambiguous}, 4},
		"alternating":         {[]roundTripFunc{safe, ambiguous, safe, ambiguous}, 4},
		"mostly safe":         {[]roundTripFunc{safe, safe, safe, safe, ambiguous, ambiguous}, 6},
		"different ambiguous": {[]roundTripFunc{fails(io.EOF), truncated(200)}, 2},
		"safe only":           {[]roundTripFunc{safe}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(test.steps...)
				c := newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 8}), client.WithTimeout(0))
				if _, err := generate.call(t.Context(), c); err == nil || s.attempts() != test.want {
					t.Errorf("got %v after %d attempts, want %d", err, s.attempts(), test.want)
				}
			})
		})
	}
}

// Zero fields of a policy mean the defaults, even if other fields are set.
func TestRetryPolicyDefaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(500, ""))
		_, _ = validate.call(t.Context(), newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{BaseDelay: time.Nanosecond})))
		if s.attempts() != 3 {
			t.Errorf("%d attempts, want the default of 3", s.attempts())
		}
	})
}
