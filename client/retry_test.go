package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// within gives ctx a deadline after d, or none if d is 0.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

// The decision table of the package documentation, row by row.
func TestRetryDecisions(t *testing.T) {
	const (
		never = 1
		once  = 2
		all   = 3 // MaxAttempts
	)
	for name, row := range map[string]struct {
		step      roundTripFunc
		get, post int // attempts
		why       string
	}{
		"connection refused":            {fails(dialError(syscall.ECONNREFUSED)), all, all, "nothing was sent"},
		"dial timeout":                  {fails(dialError(os.ErrDeadlineExceeded)), all, all, "nothing was sent"},
		"dial timeout, DNS":             {fails(dialError(&net.DNSError{IsTimeout: true})), all, all, "nothing was sent, and the name may exist"},
		"DNS failure of a host \"tls\"": {fails(dialError(&net.DNSError{Err: "server misbehaving", Name: "tls"})), all, all, "nothing was sent"},
		"dial to the proxy":             {fails(&net.OpError{Op: "proxyconnect", Err: dialError(syscall.ECONNREFUSED)}), all, all, "nothing was sent"},
		"TLS timeout":                   {fails(errors.New("net/http: TLS handshake timeout")), all, all, "nothing was sent"},
		"408":                           {responds(408, ""), all, all, "the server says that it has not had the request"},
		"429":                           {responds(429, ""), all, all, "the server says that it has not acted"},
		"503":                           {responds(503, ""), all, all, "the server says that it has not acted"},

		"500":                    {responds(500, ""), all, once, "the server may have failed after it made a token"},
		"502":                    {responds(502, ""), all, once, "who is behind the gateway may have acted"},
		"504":                    {responds(504, ""), all, once, "who is behind the gateway may have acted"},
		"connection reset":       {fails(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), all, once, "it was cut after the write"},
		"broken pipe":            {fails(&net.OpError{Op: "write", Err: syscall.EPIPE}), all, once, "part of it was sent"},
		"EOF":                    {fails(io.EOF), all, once, "it was cut after the write"},
		"attempt timeout":        {hangs, all, once, "the server may still be at it"},
		"attempt timeout, body":  {hangsInBody(200), all, once, "the server has acted"},
		"truncated 200":          {truncated(200), all, once, "the server has acted"},
		"a transport's error":    {fails(errors.New("boom")), all, once, "nobody knows"},
		"a transport's deadline": {fails(context.DeadlineExceeded), all, once, "nobody knows, and it was not the call's"},
		"a transport's cancel":   {fails(context.Canceled), all, once, "nobody knows, and it was not the call's"},
		"truncated 500":          {truncated(500), all, once, "as 500: the status is known"},
		"truncated 503":          {truncated(503), all, all, "as 503: the status is known"},
		"500, silent in body":    {hangsInBody(500), all, once, "as 500: the status is known"},

		"unknown authority":       {fails(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), never, never, "it will not be known the next time either"},
		"unknown authority, bare": {fails(x509.UnknownAuthorityError{}), never, never, "as above, from a transport that checks by itself"},
		"wrong host name":         {fails(&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "h"}}), never, never, "the certificate stays what it is"},
		"TLS alert":               {fails(&net.OpError{Op: "remote error", Err: tls.AlertError(40)}), never, never, "the server refuses us"},
		"no TLS at the other end": {fails(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), never, never, "the base URL is wrong"},
		"HTTP at the other end":   {fails(http.ErrSchemeMismatch), never, never, "the base URL is wrong"},
		"NXDOMAIN":                {fails(dialError(&net.DNSError{Name: "h", IsNotFound: true})), never, never, "the base URL is wrong"},
		"301":                     {responds(301, ""), never, never, "redirects are not followed"},
		"304":                     {responds(304, ""), never, never, "an answer"},
		"400":                     {responds(400, ""), never, never, "the request stays what it is"},
		"401":                     {responds(401, ""), never, never, "the key stays what it is"},
		"403":                     {responds(403, ""), never, never, "the key stays what it is"},
		"404":                     {responds(404, ""), never, never, "an answer"},
		"409":                     {responds(409, ""), never, never, "an answer"},
		"425":                     {responds(425, ""), never, never, "not in the contract, and no early data is sent"},
		"499":                     {responds(499, ""), never, never, "an answer"},
		"501":                     {responds(501, ""), never, never, "the server will not learn it meanwhile"},
		"505":                     {responds(505, ""), never, never, "the server will not learn it meanwhile"},
		"507":                     {responds(507, ""), never, never, "nothing says that it helps"},
		"599":                     {responds(599, ""), never, never, "nothing says that it helps"},
		"malformed 200":           {responds(200, "{}"), never, never, "the server has acted, and says it wrong"},
		"oversize 200":            {responds(200, strings.Repeat(" ", 1<<20+1)), never, never, "the next would cost as much"},
		"oversize 503":            {responds(503, strings.Repeat(" ", 1<<20+1)), never, never, "the next would cost as much"},
		"truncated 400":           {truncated(400), never, never, "as 400: the status is known"},
		"400, silent in body":     {hangsInBody(400), never, never, "as 400: the status is known"},
	} {
		for _, op := range operations {
			want := row.get
			if op.post {
				want = row.post
			}
			t.Run(op.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScript(row.step)
					got, err := op.call(t.Context(), newClient(t, via(s)))
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
						t.Errorf("go-retryablehttp's error came through: %v", err)
					}
				})
			})
		}
	}
}

func TestRetrySucceeds(t *testing.T) {
	for _, op := range operations {
		for name, first := range map[string]roundTripFunc{"503": responds(503, ""), "500": responds(500, ""), "cut": fails(io.EOF), "silence": hangs, "truncated": truncated(200)} {
			t.Run(op.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScript(first, responds(200, op.ok))
					if _, err := op.call(t.Context(), newClient(t, via(s))); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

func TestRetriesSendTheSameBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(503, ""), fails(io.EOF), responds(503, ""), responds(200, generated))
		c := newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 4}))
		if _, err := generate.call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		for i, body := range s.bodies {
			if body != `{"customerId":"c1","workspaceId":"w1"}` || s.requests[i].ContentLength != int64(len(body)) {
				t.Errorf("attempt %d sent %q with length %d", i+1, body, s.requests[i].ContentLength)
			}
		}
	})
}

// A POST is retried once where the server may have acted, however the outcomes
// are mixed.
func TestOneAmbiguousRetryPerPOST(t *testing.T) {
	safe, ambiguous := responds(503, ""), responds(500, "")
	for name, test := range map[string]struct {
		steps []roundTripFunc
		want  int
	}{
		"ambiguous only":           {[]roundTripFunc{ambiguous}, 2},
		"safe, ambiguous":          {[]roundTripFunc{safe, ambiguous, ambiguous}, 3},
		"ambiguous, safe":          {[]roundTripFunc{ambiguous, safe, safe, ambiguous}, 4},
		"alternating":              {[]roundTripFunc{safe, ambiguous, safe, ambiguous}, 4},
		"safe for long":            {[]roundTripFunc{safe, safe, safe, safe, ambiguous, ambiguous}, 6},
		"different ambiguous ones": {[]roundTripFunc{fails(io.EOF), truncated(200)}, 2},
		"safe only":                {[]roundTripFunc{safe}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(test.steps...)
				_, err := generate.call(t.Context(), newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 8}), client.WithTimeout(0)))
				if err == nil || s.attempts() != test.want {
					t.Errorf("got %v after %d attempts, want %d", err, s.attempts(), test.want)
				}
			})
		})
	}
}

func TestRetryPolicyDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(500, ""))
		_, _ = validate.call(t.Context(), newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{BaseDelay: time.Nanosecond})))
		if s.attempts() != 3 {
			t.Errorf("%d attempts, want the default of 3", s.attempts())
		}
	})
}

// waits returns the waits between the attempts of calls that end with an answer.
func waits(t *testing.T, calls int, policy client.RetryPolicy, before ...roundTripFunc) []time.Duration {
	t.Helper()
	var all []time.Duration
	for range calls {
		s := newScript(append(slices.Clone(before), responds(200, validated))...)
		if _, err := validate.call(t.Context(), newClient(t, via(s), client.WithRetryPolicy(policy), client.WithTimeout(0))); err != nil {
			t.Fatal(err)
		}
		all = append(all, s.times[len(s.times)-1].Sub(s.times[len(s.times)-2]))
	}
	slices.Sort(all)
	return all
}

func TestFullJitter(t *testing.T) {
	e := responds(500, "")
	busy := responds(503, "")
	for name, test := range map[string]struct {
		policy client.RetryPolicy
		before []roundTripFunc
		upTo   time.Duration
	}{
		"first":                 {client.RetryPolicy{}, []roundTripFunc{e}, 250 * time.Millisecond},
		"second":                {client.RetryPolicy{}, []roundTripFunc{e, e}, 500 * time.Millisecond},
		"third":                 {client.RetryPolicy{MaxAttempts: 9}, []roundTripFunc{e, e, e}, time.Second},
		"capped":                {client.RetryPolicy{MaxAttempts: 9}, []roundTripFunc{e, e, e, e, e, e, e}, 5 * time.Second},
		"own base":              {client.RetryPolicy{BaseDelay: time.Second}, []roundTripFunc{e, e}, 2 * time.Second},
		"own cap":               {client.RetryPolicy{MaxDelay: 300 * time.Millisecond}, []roundTripFunc{e, e}, 300 * time.Millisecond},
		"cap below base":        {client.RetryPolicy{MaxDelay: 100 * time.Millisecond}, []roundTripFunc{e}, 100 * time.Millisecond},
		"503":                   {client.RetryPolicy{}, []roundTripFunc{busy}, time.Second},
		"429, then 503":         {client.RetryPolicy{}, []roundTripFunc{responds(429, ""), busy}, 2 * time.Second},
		"408":                   {client.RetryPolicy{}, []roundTripFunc{responds(408, "")}, 250 * time.Millisecond},
		"503, longer base":      {client.RetryPolicy{BaseDelay: 2 * time.Second}, []roundTripFunc{busy}, 2 * time.Second},
		"503 with Retry-After":  {client.RetryPolicy{}, []roundTripFunc{responds(503, "", "Retry-After", "0")}, 250 * time.Millisecond},
		"smallest base and cap": {client.RetryPolicy{BaseDelay: 1, MaxDelay: 1}, []roundTripFunc{e}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 2000
				got := waits(t, n, test.policy, test.before...)
				if got[0] < 0 || got[n-1] > test.upTo {
					t.Fatalf("waits from %v to %v, want them in [0, %v]", got[0], got[n-1], test.upTo)
				}
				if test.upTo < time.Millisecond {
					return
				}
				// Uniform: the quartiles are where they should be, within 5 standard deviations.
				for i, q := range []float64{0.02, 0.25, 0.5, 0.75, 0.98} {
					want := time.Duration(q * float64(test.upTo))
					tolerance := time.Duration(5 * math.Sqrt(q*(1-q)/n) * float64(test.upTo))
					if d := got[int(q*n)] - want; d.Abs() > tolerance {
						t.Errorf("quantile %d: %v, want %v ± %v", i, got[int(q*n)], want, tolerance)
					}
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	const none = -1
	for value, test := range map[string]struct {
		want  time.Duration // none: ignored
		slept bool
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
		"-1":                               {none, true},
		"+5":                               {none, true},
		"1.5":                              {none, true},
		"1e3":                              {none, true},
		"0x10":                             {none, true},
		"5s":                               {none, true},
		"5, 6":                             {none, true},
		"soon":                             {none, true},
		"":                                 {none, true},
		"５":                                {none, true}, // a digit, but not of ASCII
		"Sat, 01 Jan 2000 00:00:05 GMT":    {5 * time.Second, true},
		"Sat, 01 Jan 2000 00:00:00 GMT":    {0, true},
		"Fri, 31 Dec 1999 23:59:59 GMT":    {0, true}, // it has passed
		"Mon, 01 Jan 0001 00:00:00 GMT":    {0, true},
		"Sun, 02 Jan 2000 00:00:00 GMT":    {24 * time.Hour, false},
		"Fri, 31 Dec 9999 23:59:59 GMT":    {math.MaxInt64, false},
		"Saturday, 01-Jan-00 00:00:05 GMT": {5 * time.Second, true},
		"Sat Jan  1 00:00:05 2000":         {5 * time.Second, true},
		"Sat, 01 Jan 2000 00:00:05 CET":    {none, true}, // not an HTTP date
		"2000-01-01T00:00:05Z":             {none, true},
	} {
		for _, status := range []int{429, 503, 500} {
			t.Run(fmt.Sprintf("%d/%.40s", status, value), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // where it is midnight, 1 January 2000, UTC
					start := time.Now()
					s := newScript(responds(status, "", "Retry-After", value), responds(200, validated))
					var first client.Attempt
					_, err := validate.call(t.Context(), newClient(t, via(s), client.WithObserver(func(_ context.Context, a client.Attempt) {
						if a.Number == 1 {
							first = a
						}
					})))
					waited := time.Since(start)
					if !test.slept {
						e := asResponse(t, err)
						if waited != 0 || e.Attempts != 1 || e.RetryAfter != test.want || first.WillRetry {
							t.Errorf("got RetryAfter %v and %d attempts after %v, want %v at once", e.RetryAfter, e.Attempts, waited, test.want)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					limit := max(test.want, 250*time.Millisecond)
					if test.want == none && status != 500 {
						limit = time.Second
					}
					if waited < test.want || waited > limit || waited != first.RetryIn {
						t.Errorf("waited %v, and said %v, want it between %v and %v", waited, first.RetryIn, test.want, limit)
					}
				})
			})
		}
	}
}

func TestMaxRetryAfterIsThePolicys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(503, "", "Retry-After", "3600"), responds(200, validated))
		start := time.Now()
		c := newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{MaxRetryAfter: time.Hour}), client.WithTimeout(0))
		if _, err := validate.call(t.Context(), c); err != nil || time.Since(start) != time.Hour {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestNoWaitBeyondTheDeadline(t *testing.T) {
	for name, test := range map[string]struct {
		step     roundTripFunc
		deadline time.Duration
		opts     []client.Option
	}{
		"Retry-After, deadline":    {responds(503, "", "Retry-After", "5"), 5 * time.Second, nil},
		"Retry-After, WithTimeout": {responds(503, "", "Retry-After", "5"), 0, []client.Option{client.WithTimeout(5 * time.Second)}},
		"jitter, deadline": {responds(500, ""), time.Nanosecond, []client.Option{
			client.WithRetryPolicy(client.RetryPolicy{BaseDelay: time.Hour, MaxDelay: time.Hour})}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := within(t.Context(), test.deadline)
				defer cancel()
				start := time.Now()
				s := newScript(test.step)
				_, err := validate.call(ctx, newClient(t, append([]client.Option{via(s)}, test.opts...)...))
				e := asResponse(t, err)
				if time.Since(start) != 0 || e.Attempts != 1 {
					t.Errorf("got %v after %d attempts and %v", err, e.Attempts, time.Since(start))
				}
			})
		})
	}
}

func TestCancelledWhileWaiting(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				time.AfterFunc(time.Second, cancel)
				start := time.Now()
				s := newScript(responds(503, `{"error":{"code":7,"message":"down"}}`, "Retry-After", "9"))
				_, err := op.call(ctx, newClient(t, via(s)))
				if got := time.Since(start); got != time.Second {
					t.Errorf("returned after %v, want it at once", got)
				}
				if !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrServer) {
					t.Errorf("%v does not match both", err)
				}
				if e := asResponse(t, err); e.StatusCode != 503 || e.Message != "down" || e.RetryAfter != 9*time.Second || e.Attempts != 1 {
					t.Errorf("got %+v", e)
				}
				want := "oneloop: " + op.name + ": context canceled (last answer: 503 Service Unavailable: down (code 7))"
				if err.Error() != want {
					t.Errorf("got %q, want %q", err, want)
				}
			})
		})
	}
}

// A wait that is cancelled has sent nothing, and costs nothing.
func TestCancelledWaitsCostNoBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(503, "", "Retry-After", "9"))
		c := newClient(t, via(s))
		for i := range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err := validate.call(ctx, c); !errors.Is(err, context.Canceled) {
				t.Fatalf("call %d did not wait: %v", i, err)
			}
		}
	})
}

func TestContextEnds(t *testing.T) {
	for name, test := range map[string]struct {
		steps    []roundTripFunc
		timeout  time.Duration
		want     error
		answered int
	}{
		"in the first attempt":             {[]roundTripFunc{hangs}, 2 * time.Second, context.DeadlineExceeded, 0},
		"in the second attempt":            {[]roundTripFunc{responds(503, "", "Retry-After", "1"), hangs}, 2 * time.Second, context.DeadlineExceeded, 503},
		"in the body of an error":          {[]roundTripFunc{hangsInBody(400)}, 2 * time.Second, context.DeadlineExceeded, 400},
		"in the body of a 200 after a 503": {[]roundTripFunc{responds(503, "", "Retry-After", "1"), hangsInBody(200)}, 2 * time.Second, context.DeadlineExceeded, 503},
		"in a transport that does not say so": {[]roundTripFunc{func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, errors.New("stopped")
		}}, 2 * time.Second, context.DeadlineExceeded, 0},
	} {
		for _, how := range []string{"deadline", "WithTimeout"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, opts := t.Context(), []client.Option{client.WithTimeout(test.timeout)}
					if how == "deadline" {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, test.timeout)
						defer cancel()
						opts = nil
					}
					start := time.Now()
					_, err := validate.call(ctx, newClient(t, append(opts, via(newScript(test.steps...)))...))
					if got := time.Since(start); got != test.timeout {
						t.Errorf("returned after %v, want %v", got, test.timeout)
					}
					if !errors.Is(err, test.want) {
						t.Errorf("%v does not match %v", err, test.want)
					}
					if test.answered != 0 && !isResponse(test.answered)(err) {
						t.Errorf("%v lost the answer %d", err, test.answered)
					}
				})
			})
		}
	}
}

// A retry is not announced where the context has ended meanwhile.
func TestNoRetryAfterTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newScript(func(*http.Request) (*http.Response, error) {
		cancel()
		return response(503, ""), nil
	})
	var got []client.Attempt
	c := newClient(t, via(s), record(&got))
	if _, err := validate.call(ctx, c); !errors.Is(err, context.Canceled) || !errors.Is(err, client.ErrServer) || len(got) != 1 || got[0].WillRetry {
		t.Errorf("got %v and %+v", err, got)
	}
}

func TestContextEndedBefore(t *testing.T) {
	for _, op := range operations {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := newScript(responds(200, op.ok))
		if _, err := op.call(ctx, newClient(t, via(s))); !errors.Is(err, context.Canceled) || s.attempts() != 0 {
			t.Errorf("got %v after %d attempts", err, s.attempts())
		}
	}
}

func TestTimeouts(t *testing.T) {
	slow := func(d time.Duration) roundTripFunc {
		return func(req *http.Request) (*http.Response, error) {
			select {
			case <-time.After(d):
				return response(200, validated), nil
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		}
	}
	for name, test := range map[string]struct {
		step     roundTripFunc
		deadline time.Duration // of ctx
		opts     []client.Option
		ok       bool
		elapsed  time.Duration // at most, where not ok exactly but for the jitter
		attempts int
	}{
		"default attempt timeout":           {hangs, 0, nil, false, 24*time.Second + 750*time.Millisecond, 3},
		"attempt timeout":                   {hangs, 0, []client.Option{client.WithRetryPolicy(client.RetryPolicy{AttemptTimeout: time.Second})}, false, 3750 * time.Millisecond, 3},
		"attempt timeout in the body":       {hangsInBody(200), 0, []client.Option{client.WithRetryPolicy(client.RetryPolicy{AttemptTimeout: time.Second})}, false, 3750 * time.Millisecond, 3},
		"WithTimeout below the attempt's":   {hangs, 0, []client.Option{client.WithTimeout(time.Second)}, false, time.Second, 1},
		"WithTimeout yields to a deadline":  {slow(5 * time.Second), time.Minute, []client.Option{client.WithTimeout(time.Second)}, true, 5 * time.Second, 1},
		"a deadline below WithTimeout":      {hangs, time.Second, nil, false, time.Second, 1},
		"no timeout but the attempt's":      {slow(7 * time.Second), 0, []client.Option{client.WithTimeout(0)}, true, 7 * time.Second, 1},
		"the user's http.Client.Timeout":    {hangs, 0, []client.Option{client.WithHTTPClient(&http.Client{Timeout: time.Second, Transport: roundTripFunc(hangs)})}, false, 3750 * time.Millisecond, -1},
		"default timeout, slow attempts":    {slow(time.Hour), 0, []client.Option{client.WithRetryPolicy(client.RetryPolicy{AttemptTimeout: 20 * time.Second})}, false, 30 * time.Second, 2},
		"an attempt longer than the policy": {slow(9 * time.Second), 0, nil, false, 24*time.Second + 750*time.Millisecond, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := within(t.Context(), test.deadline)
				defer cancel()
				s := newScript(test.step)
				start := time.Now()
				_, err := validate.call(ctx, newClient(t, append([]client.Option{via(s)}, test.opts...)...))
				elapsed := time.Since(start)
				if (err == nil) != test.ok || elapsed > test.elapsed || elapsed < test.elapsed-750*time.Millisecond {
					t.Errorf("got %v after %v, want about %v", err, elapsed, test.elapsed)
				}
				if !test.ok && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v is no context.DeadlineExceeded", err)
				}
				if test.attempts >= 0 && s.attempts() != test.attempts {
					t.Errorf("%d attempts, want %d", s.attempts(), test.attempts)
				}
			})
		})
	}
}

// The last answer is never lost, also where a later attempt got none.
func TestLastAnswerIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(503, `{"error":{"code":7,"message":"down"}}`), fails(dialError(syscall.ECONNREFUSED)))
		_, err := validate.call(t.Context(), newClient(t, via(s)))
		if e := asResponse(t, err); e.StatusCode != 503 || e.Code != 7 || e.Attempts != 3 {
			t.Errorf("got %+v", e)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v lost the last attempt's error", err)
		}
	})
}

func TestDeadServerSeesFewRetries(t *testing.T) {
	for name, dead := range map[string]roundTripFunc{"503": responds(503, ""), "500": responds(500, ""), "refused": fails(dialError(syscall.ECONNREFUSED)), "silence": hangs} {
		for _, op := range operations {
			t.Run(op.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScript(dead)
					c := newClient(t, via(s))
					for range 1000 {
						if _, err := op.call(t.Context(), c); err == nil {
							t.Fatal("a dead server answered")
						}
					}
					t.Logf("%d wire requests for 1,000 calls", s.attempts())
					if s.attempts() > 1035 {
						t.Errorf("%d wire requests for 1,000 calls, want at most 1,035", s.attempts())
					}
				})
			})
		}
	}
}

func TestBudgetIsPerClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript(responds(503, ""))
		for range 40 {
			c := newClient(t, via(s))
			_, err := validate.call(t.Context(), c)
			if e := asResponse(t, err); e.Attempts != 3 {
				t.Fatalf("%d attempts, want 3", e.Attempts)
			}
		}
	})
}

func TestPartialOutage(t *testing.T) {
	const calls = 20_000
	for _, test := range []struct{ failing, success, load float64 }{
		{0.10, 0.997, 1.13},
		{0.20, 0.98, 1.27},
	} {
		t.Run(fmt.Sprint(test.failing), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 2))
				requests, ok := 0, 0
				c := newClient(t, via(roundTripFunc(func(*http.Request) (*http.Response, error) {
					requests++
					if random.Float64() < test.failing {
						return response(503, ""), nil
					}
					return response(200, validated), nil
				})))
				for range calls {
					if _, err := validate.call(t.Context(), c); err == nil {
						ok++
					}
				}
				success, load := float64(ok)/calls, float64(requests)/calls
				t.Logf("%.0f%% random 503: %.2f%% of the calls succeed with %.3f requests per call", test.failing*100, success*100, load)
				if success < test.success || load > test.load {
					t.Errorf("want at least %.2f%% with at most %.2f", test.success*100, test.load)
				}
			})
		})
	}
}
