package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// reconnects fails like an http.Transport that loses a connection and gets no other.
func reconnects(err error) roundTripFunc {
	return func(req *http.Request) (*http.Response, error) {
		httptrace.ContextClientTrace(req.Context()).GotConn(httptrace.GotConnInfo{})
		return neverConnects(err)(req)
	}
}

// broken returns a body that can't be read.
func broken(text string) func(context.Context) io.Reader {
	return func(context.Context) io.Reader { return iotest.ErrReader(errors.New(text)) }
}

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
		"connection refused": {neverConnects(dialError(syscall.ECONNREFUSED)), all, all, "nothing was sent"},
		"dial timeout":       {neverConnects(dialError(os.ErrDeadlineExceeded)), all, all, "nothing was sent"},
		"dial timeout, DNS":  {neverConnects(dialError(&net.DNSError{IsTimeout: true})), all, all, "nothing was sent, and the name may exist"},
		"dialing the proxy":  {neverConnects(&net.OpError{Op: "proxyconnect", Err: dialError(syscall.ECONNREFUSED)}), all, all, "nothing was sent"},
		"TLS timeout":        {neverConnects(errors.New("net/http: TLS handshake timeout")), all, all, "nothing was sent"},
		"408":                {responds(408, ""), all, all, "the server did not receive the whole request"},
		"429":                {responds(429, ""), all, all, "the server refused to act"},
		"503":                {responds(503, ""), all, all, "the server refused to act"},

		"dial failure, late":     {reconnects(dialError(syscall.ECONNREFUSED)), all, once, "net/http dials again after it sent the request"},
		"TLS timeout, late":      {reconnects(errors.New("net/http: TLS handshake timeout")), all, once, "net/http dials again after it sent the request"},
		"not connected, silent":  {neverConnects(os.ErrDeadlineExceeded), all, all, "nothing was sent"},
		"dial failure, untraced": {fails(dialError(syscall.ECONNREFUSED)), all, once, "a transport that calls no trace may have sent the request before"},
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
		"503, TLS error in body": {withBody(503, broken("tls: bad record MAC")), all, all, "the status is known, so same as 503"},
		"500, silent in body":    {hangsInBody(500), all, once, "the status is known, so same as 500"},

		"unknown authority":        {fails(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), never, never, "the certificate will be the same"},
		"unknown authority, bare":  {fails(x509.UnknownAuthorityError{}), never, never, "as above, from a transport that verifies certificates itself"},
		"wrong host name":          {fails(&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}}), never, never, "the certificate will be the same"},
		"TLS alert":                {fails(&net.OpError{Op: "remote error", Err: tls.AlertError(40)}), never, never, "the server refuses the client"},
		"server without TLS":       {fails(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), never, never, "the base URL is wrong"},
		"not connected, TLS alert": {neverConnects(&net.OpError{Op: "remote error", Err: tls.AlertError(40)}), never, never, "the server refuses the client"},
		"NXDOMAIN":                 {fails(dialError(&net.DNSError{Name: "h", IsNotFound: true})), never, never, "the base URL is wrong"},
		"301":                      {responds(301, ""), never, never, "redirects are not followed"},
		"304":                      {responds(304, ""), never, never, "the same request gets the same response"},
		"400":                      {responds(400, ""), never, never, "the same request gets the same response"},
		"401":                      {responds(401, ""), never, never, "the key will be the same"},
		"403":                      {responds(403, ""), never, never, "the key will be the same"},
		"404":                      {responds(404, ""), never, never, "the same request gets the same response"},
		"409":                      {responds(409, ""), never, never, "the same request gets the same response"},
		"425":                      {responds(425, ""), never, never, "not in the contract, and no early data is sent"},
		"499":                      {responds(499, ""), never, never, "not in the contract"},
		"501":                      {responds(501, ""), never, never, "the server does not support the method"},
		"505":                      {responds(505, ""), never, never, "the server does not support the version"},
		"507":                      {responds(507, ""), never, never, "not known to be temporary"},
		"599":                      {responds(599, ""), never, never, "not known to be temporary"},
		"malformed 200":            {responds(200, "{}"), never, never, "the server has acted"},
		"oversize 200":             {responds(200, strings.Repeat(" ", 1<<20+1)), never, never, "the next response would be just as long"},
		"oversize 503":             {responds(503, strings.Repeat(" ", 1<<20+1)), never, never, "the next response would be just as long"},
		"truncated 400":            {truncated(400), never, never, "the status is known, so same as 400"},
		"400, reset in body":       {withBody(400, broken("read tcp: connection reset by peer")), never, never, "the status is known, so same as 400"},
		"400, silent in body":      {hangsInBody(400), never, never, "the status is known, so same as 400"},
	} {
		for _, op := range operations {
			want := row.get
			if op.post {
				want = row.post
			}
			inBubble(t, op.name+"/"+name, func(t *testing.T) {
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
		}
	}
}

func TestRetrySucceeds(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]roundTripFunc{"503": responds(503, ""), "500": responds(500, ""), "cut": fails(io.EOF), "silence": hangs, "truncated": truncated(200)} {
		for _, op := range operations {
			inBubble(t, op.name+"/"+name, func(t *testing.T) {
				if _, err := op.call(t.Context(), newClient(t, via(newScript(first, responds(200, op.ok))))); err != nil {
					t.Error(err)
				}
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
		inBubble(t, name, func(t *testing.T) {
			s := newScript(test.steps...)
			c := newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 8}), client.WithTimeout(0))
			if _, err := generate.call(t.Context(), c); err == nil || s.attempts() != test.want {
				t.Errorf("got %v after %d attempts, want %d", err, s.attempts(), test.want)
			}
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

// waits makes n calls that succeed after the attempts in before. It returns the last
// wait of each, sorted.
func waits(t *testing.T, n int, op operation, policy client.RetryPolicy, before ...roundTripFunc) []time.Duration {
	t.Helper()
	steps := append(slices.Clone(before), responds(200, op.ok))
	var all []time.Duration
	for range n {
		s := newScript(steps...)
		if _, err := op.call(t.Context(), newClient(t, via(s), client.WithRetryPolicy(policy), client.WithTimeout(0))); err != nil {
			t.Fatal(err)
		}
		all = append(all, s.times[len(s.times)-1].Sub(s.times[len(s.times)-2]))
	}
	slices.Sort(all)
	return all
}

// Every wait is random, between half of BaseDelay·2ⁿ and all of it.
func TestWaits(t *testing.T) {
	t.Parallel()
	failed, busy := responds(500, ""), responds(503, "")
	for name, test := range map[string]struct {
		op     operation
		policy client.RetryPolicy
		before []roundTripFunc
		upTo   time.Duration
	}{
		"first":                 {validate, client.RetryPolicy{}, []roundTripFunc{failed}, 250 * time.Millisecond},
		"second":                {validate, client.RetryPolicy{}, []roundTripFunc{failed, failed}, 500 * time.Millisecond},
		"third":                 {validate, client.RetryPolicy{MaxAttempts: 9}, []roundTripFunc{failed, failed, failed}, time.Second},
		"capped":                {validate, client.RetryPolicy{MaxAttempts: 9}, []roundTripFunc{failed, failed, failed, failed, failed, failed, failed}, 5 * time.Second},
		"base of 1 s":           {validate, client.RetryPolicy{BaseDelay: time.Second}, []roundTripFunc{failed, failed}, 2 * time.Second},
		"cap of 300 ms":         {validate, client.RetryPolicy{MaxDelay: 300 * time.Millisecond}, []roundTripFunc{failed, failed}, 300 * time.Millisecond},
		"cap below base":        {validate, client.RetryPolicy{MaxDelay: 100 * time.Millisecond}, []roundTripFunc{failed}, 100 * time.Millisecond},
		"503":                   {validate, client.RetryPolicy{}, []roundTripFunc{busy}, time.Second},
		"429, then 503":         {validate, client.RetryPolicy{}, []roundTripFunc{responds(429, ""), busy}, 2 * time.Second},
		"408":                   {validate, client.RetryPolicy{}, []roundTripFunc{responds(408, "")}, 250 * time.Millisecond},
		"503, longer base":      {validate, client.RetryPolicy{BaseDelay: 2 * time.Second}, []roundTripFunc{busy}, 2 * time.Second},
		"503 with Retry-After":  {validate, client.RetryPolicy{}, []roundTripFunc{responds(503, "", "Retry-After", "0")}, 250 * time.Millisecond},
		"a shorter Retry-After": {validate, client.RetryPolicy{BaseDelay: 4 * time.Second}, []roundTripFunc{responds(503, "", "Retry-After", "1")}, 4 * time.Second},
		"smallest base and cap": {validate, client.RetryPolicy{BaseDelay: 1, MaxDelay: 1}, []roundTripFunc{failed}, 1},
		"POST, processed":       {generate, client.RetryPolicy{}, []roundTripFunc{truncated(200)}, 250 * time.Millisecond},
		"POST, not connected":   {generate, client.RetryPolicy{}, []roundTripFunc{neverConnects(dialError(syscall.ECONNREFUSED))}, 250 * time.Millisecond},
		"POST, both":            {generate, client.RetryPolicy{}, []roundTripFunc{neverConnects(dialError(syscall.ECONNREFUSED)), failed}, 500 * time.Millisecond},
		"largest base and cap":  {validate, client.RetryPolicy{BaseDelay: math.MaxInt64, MaxDelay: math.MaxInt64}, []roundTripFunc{failed}, math.MaxInt64},
	} {
		inBubble(t, name, func(t *testing.T) {
			n := 200
			if test.upTo == math.MaxInt64 {
				n = 1 // the synctest clock can't advance further
			}
			got := waits(t, n, test.op, test.policy, test.before...)
			half := test.upTo / 2
			if got[0] < half || got[n-1] > test.upTo {
				t.Fatalf("waits range from %v to %v, want %v to %v", got[0], got[n-1], half, test.upTo)
			}
			if n == 1 || test.upTo == 1 {
				return
			}
			// Waits are uniformly distributed: their quartiles are within 6 standard deviations.
			for _, q := range []float64{0.25, 0.5, 0.75} {
				want := half + time.Duration(q*float64(half))
				tolerance := time.Duration(6 * math.Sqrt(q*(1-q)/float64(n)) * float64(half))
				if d := got[int(q*float64(n))] - want; d.Abs() > tolerance {
					t.Errorf("quartile %v: %v, want %v ± %v", q, want+d, want, tolerance)
				}
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const none = -1
	for value, test := range map[string]struct {
		want  time.Duration // none if the header is ignored
		waits bool          // whether the call waits and retries
	}{
		"0":                                {0, true},
		"00":                               {0, true},
		"1":                                {time.Second, true},
		"10":                               {10 * time.Second, true},
		"11":                               {11 * time.Second, false},
		"86400":                            {24 * time.Hour, false},
		"9223372036":                       {9223372036 * time.Second, false},
		"9223372037":                       {math.MaxInt64, false},
		"9223372036854775807":              {math.MaxInt64, false},
		"9223372036854775808":              {math.MaxInt64, false},
		strings.Repeat("9", 400):           {math.MaxInt64, false},
		"18700000000000000000A":            {none, true}, // too long a number before it is none
		"-1":                               {none, true},
		"+5":                               {none, true},
		"1.5":                              {none, true},
		"1e3":                              {none, true},
		"0x10":                             {none, true},
		"5s":                               {none, true},
		"5, 6":                             {none, true},
		"soon":                             {none, true},
		"":                                 {none, true},
		"５":                                {none, true}, // a digit outside ASCII
		"Sat, 01 Jan 2000 00:00:05 GMT":    {5 * time.Second, true},
		"Sat, 01 Jan 2000 00:00:00 GMT":    {0, true},
		"Fri, 31 Dec 1999 23:59:59 GMT":    {0, true}, // in the past
		"Mon, 01 Jan 0001 00:00:00 GMT":    {0, true},
		"Sun, 02 Jan 2000 00:00:00 GMT":    {24 * time.Hour, false},
		"Fri, 31 Dec 9999 23:59:59 GMT":    {math.MaxInt64, false},
		"Saturday, 01-Jan-00 00:00:05 GMT": {5 * time.Second, true},
		"Sat Jan  1 00:00:05 2000":         {5 * time.Second, true},
		"Sat, 01 Jan 2000 00:00:05 CET":    {none, true}, // not an HTTP date
		"2000-01-01T00:00:05Z":             {none, true},
	} {
		for _, status := range []int{429, 503, 500} {
			inBubble(t, fmt.Sprintf("%d/%.40s", status, value), func(t *testing.T) { // starts at midnight UTC, 1 January 2000
				start := time.Now()
				var attempts []client.Attempt
				c := newClient(t, record(&attempts), via(newScript(responds(status, "", "Retry-After", value), responds(200, validated))))
				_, err := validate.call(t.Context(), c)
				waited := time.Since(start)
				if !test.waits {
					e := asResponse(t, err)
					if waited != 0 || e.Attempts != 1 || e.RetryAfter != test.want || attempts[0].WillRetry {
						t.Errorf("got RetryAfter %v and %d attempts after %v, want %v and 1 attempt at once", e.RetryAfter, e.Attempts, waited, test.want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				longest := 250 * time.Millisecond
				if test.want == none && status != 500 {
					longest = time.Second
				}
				shortest := max(test.want, longest/2)
				longest = max(test.want, longest)
				if waited < shortest || waited > longest || waited != attempts[0].RetryIn {
					t.Errorf("waited %v with RetryIn %v, want %v to %v", waited, attempts[0].RetryIn, shortest, longest)
				}
			})
		}
	}
}

func TestMaxRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := newClient(t, client.WithRetryPolicy(client.RetryPolicy{MaxRetryAfter: time.Hour}), client.WithTimeout(0),
			via(newScript(responds(503, "", "Retry-After", "3600"), responds(200, validated))))
		if _, err := validate.call(t.Context(), c); err != nil || time.Since(start) != time.Hour {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestCanceledWhileWaiting(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		inBubble(t, op.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(time.Second, cancel)
			start := time.Now()
			_, err := op.call(ctx, newClient(t, via(responds(503, `{"error":{"code":7,"message":"down"}}`, "Retry-After", "9"))))
			if got := time.Since(start); got != time.Second {
				t.Errorf("returned after %v, want 1 s", got)
			}
			if !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrServer) {
				t.Errorf("%v does not match both context.Canceled and ErrServer", err)
			}
			if e := asResponse(t, err); e.StatusCode != 503 || e.Message != "down" || e.RetryAfter != 9*time.Second || e.Attempts != 1 {
				t.Errorf("got %+v", e)
			}
			want := "oneloop: " + op.name + ": context canceled (last response: 503 Service Unavailable: down (code 7))"
			if err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
		})
	}
}
