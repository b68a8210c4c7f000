package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// writes returns a server that responds to every request with text.
func writes(text string) func(*testing.T) []client.Option {
	return func(t *testing.T) []client.Option {
		return to(rawServer(t, func(conn net.Conn, _, _ int) bool {
			_, _ = io.WriteString(conn, text)
			return false
		}))
	}
}

// mentions reports whether the error says what is wrong with the response.
func mentions(what string) func(error) bool {
	return func(err error) bool { return strings.Contains(err.Error(), what) }
}

// net/http quotes what it can't parse. In these responses, that is a link token
// which the Client doesn't know, because it was just made.
var quotedResponses = map[string]failure{
	"body alone":                {opts: writes(generated + "\r\n\r\n"), check: mentions("malformed HTTP response")},
	"version":                   {opts: writes(testToken + " 200 OK\r\n\r\n"), check: mentions("malformed HTTP version")},
	"status code":               {opts: writes("HTTP/1.1 " + testToken + " OK\r\n\r\n"), check: mentions("malformed HTTP status code")},
	"header line":               {opts: writes("HTTP/1.1 200 OK\r\n" + generated + "\r\n\r\n"), check: mentions("malformed MIME header")},
	"header line without colon": {opts: writes("HTTP/1.1 200 OK\r\nX-Token " + testToken + "\r\n\r\n"), check: mentions("malformed MIME header")},
	"first header line":         {opts: writes("HTTP/1.1 200 OK\r\n " + testToken + "\r\n\r\n"), check: mentions("malformed MIME header")},
	"Content-Length":            {opts: writes("HTTP/1.1 200 OK\r\nContent-Length: " + testToken + "\r\n\r\n"), check: mentions("bad Content-Length")},
	"two lengths":               {opts: writes("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: " + testToken + "\r\n\r\n"), check: mentions("Content-Length")},
	"Transfer-Encoding":         {opts: writes("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + testToken + "\r\n\r\n"), check: mentions("unsupported transfer encoding")},
	"trailer":                   {opts: writes("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + generated + "\r\n\r\n"), check: anyError},
	"HTTP/2 header name": {opts: func(t *testing.T) []client.Option {
		server := newFrameServer(t, func(c frameConn, stream uint32) bool {
			const name = "invalid " + testToken
			c.frame(1, 5, stream, append([]byte{0x88, 0, byte(len(name))}, name+"\x00"...)...) // HEADERS, END_HEADERS and END_STREAM
			return true
		})
		return append(to(server.baseURL), via(server.transport()))
	}, check: mentions("stream error")},
}

func TestQuotedResponsesShowNoSecret(t *testing.T) {
	t.Parallel()
	for name, failure := range quotedResponses {
		for op, call := range map[string]func(context.Context, *client.Client) error{
			"generate": func(ctx context.Context, c *client.Client) error {
				_, err := generate.call(ctx, c)
				return err
			},
			"validate another": func(ctx context.Context, c *client.Client) error {
				_, err := c.ValidateLinkToken(ctx, "another-token")
				return err
			},
		} {
			t.Run(name+"/"+op, func(t *testing.T) { checkFailure(t, failure, call) })
		}
	}
}

// Quoting changes a key with one of these characters, so that redaction would miss
// it. RFC 6750 allows neither in a bearer token.
func TestKeysThatChangeWhenQuoted(t *testing.T) {
	t.Parallel()
	for _, key := range []string{`canary"5f2c9e7d`, `canary\5f2c9e7d`, `"canary5f2c9e7d"`} {
		t.Run(key, func(t *testing.T) {
			_, err := client.New(key)
			checkRejected(t, err, client.ErrInvalidArgument, "SDK key", key)
			s := newScript(responds(200, validated))
			c, err := client.New("", via(s), client.WithKeySource(func(context.Context) (string, error) { return key, nil }))
			if err != nil {
				t.Fatal(err)
			}
			_, err = validate.call(t.Context(), c)
			if err == nil || s.attempts() != 0 || !strings.Contains(err.Error(), "WithKeySource") || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v after %d requests, want an error that names WithKeySource, and no request", err, s.attempts())
			}
		})
	}
}

// Loggers such as zap and logr call String if there is no method of their own.
func TestLinkTokenString(t *testing.T) {
	t.Parallel()
	token := client.LinkToken{Token: testToken, ExpiresAt: time.Unix(1893456000, 0).UTC()}
	for name, v := range map[string]any{"LinkToken": token, "*LinkToken": &token} {
		stringer, ok := v.(fmt.Stringer)
		if !ok {
			t.Errorf("%s has no String method", name)
			continue
		}
		if got, want := stringer.String(), "link token [redacted] until 2030-01-01T00:00:00Z"; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// "identity" means that the body is not encoded (RFC 9110, section 12.5.3). Codings
// are case-insensitive, and there may be several.
func TestIdentityEncoding(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		encodings []string
		ok        bool
	}{
		"identity":           {[]string{"identity"}, true},
		"Identity":           {[]string{"Identity"}, true},
		"gzip":               {[]string{"gzip"}, false},
		"in one line":        {[]string{"identity, gzip"}, false},
		"in two lines":       {[]string{"identity", "gzip"}, false},
		"in two other lines": {[]string{"gzip", "identity"}, false},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				encoded := func(*http.Request) (*http.Response, error) {
					resp := response(200, op.ok)
					resp.Header["Content-Encoding"] = test.encodings
					return resp, nil
				}
				if !test.ok {
					malformed(t, op, "encoding", encoded)
				} else if _, err := op.call(t.Context(), newClient(t, via(roundTripFunc(encoded)))); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Newer versions of encoding/json decode 1e400 to +Inf, which it can't encode.
func TestCodeIsFinite(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"1e400", "-1e400"} {
		_, err := validate.call(t.Context(), newClient(t, via(responds(400, `{"error":{"code":`+code+`,"message":"m"}}`))))
		e := asResponse(t, err)
		if e.Code != 0 || e.Message != "m" {
			t.Errorf("%s: got code %v and message %q, want 0 and m", code, e.Code, e.Message)
		}
		if encoded, err := json.Marshal(e); err != nil {
			t.Errorf("%s: got %s, %v", code, encoded, err)
		}
	}
}

// The Client's own transport reads at most 64 KiB of a response header.
func TestResponseHeaderLimit(t *testing.T) {
	t.Parallel()
	for size, ok := range map[int]bool{32 << 10: true, 128 << 10: false} {
		t.Run(fmt.Sprint(size>>10, " KiB"), func(t *testing.T) {
			opts := writes(fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Large: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				strings.Repeat("x", size), len(validated), validated))(t)
			_, err := validate.call(t.Context(), newClient(t, append(opts, quick)...))
			if (err == nil) != ok {
				t.Errorf("got %v, want success: %t", err, ok)
			}
		})
	}
}

// The status of a response decides about a retry, regardless of its body.
func TestStatusDecidesBeforeBody(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"tls: bad record MAC", "x509: certificate has expired", "read tcp: connection reset by peer"} {
		for status, attempts := range map[int]int{503: 3, 400: 1} {
			for _, op := range operations {
				t.Run(fmt.Sprint(text, "/", status, "/", op.name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						body := iotest.ErrReader(errors.New(text))
						s := newScript(withBody(status, func(context.Context) io.Reader { return body }))
						_, err := op.call(t.Context(), newClient(t, via(s)))
						if !isResponse(status)(err) || s.attempts() != attempts {
							t.Errorf("got %v after %d attempts, want %d", err, s.attempts(), attempts)
						}
					})
				})
			}
		}
	}
}

// WithTimeout limits every call, whether its context ends later, earlier or never.
func TestTimeoutLimitsEveryCall(t *testing.T) {
	t.Parallel()
	patient := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1, AttemptTimeout: time.Hour})
	two, none := client.WithTimeout(2*time.Second), client.WithTimeout(0)
	hangingSource := client.WithKeySource(func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	for name, test := range map[string]struct {
		key      string
		opts     []client.Option
		deadline time.Duration // of the context
		want     time.Duration
	}{
		"no deadline":                   {testKey, []client.Option{two}, 0, 2 * time.Second},
		"later deadline":                {testKey, []client.Option{two}, time.Minute, 2 * time.Second},
		"earlier deadline":              {testKey, []client.Option{two}, time.Second, time.Second},
		"default, no deadline":          {testKey, nil, 0, 15 * time.Second},
		"default, later deadline":       {testKey, nil, time.Hour, 15 * time.Second},
		"default, earlier deadline":     {testKey, nil, 10 * time.Second, 10 * time.Second},
		"no limit, deadline":            {testKey, []client.Option{none}, time.Minute, time.Minute},
		"no limit, no deadline":         {testKey, []client.Option{none}, 0, time.Hour},
		"in the key source":             {"", []client.Option{two, hangingSource}, time.Minute, 2 * time.Second},
		"in the key source, by default": {"", []client.Option{hangingSource}, time.Hour, 15 * time.Second},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := within(t.Context(), test.deadline)
					defer cancel()
					c, err := client.New(test.key, append(test.opts, via(roundTripFunc(hangs)), patient)...)
					if err != nil {
						t.Fatal(err)
					}
					start := time.Now()
					_, err = op.call(ctx, c)
					if got := time.Since(start); got != test.want || !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v after %v, want a deadline error after %v", err, got, test.want)
					}
				})
			})
		}
	}
}

// Every wait is random, between half and all of BaseDelay·2ⁿ. A GET is no exception:
// a server that is restarting needs some time.
func TestWaitsAreAtLeastHalf(t *testing.T) {
	t.Parallel()
	const n = 200
	failed, busy, cut := responds(500, ""), responds(503, ""), fails(io.EOF)
	base := func(d time.Duration) client.RetryPolicy { return client.RetryPolicy{BaseDelay: d} }
	for name, test := range map[string]struct {
		policy  client.RetryPolicy
		before  []roundTripFunc // the attempts before the wait
		longest time.Duration
	}{
		"first":                 {client.RetryPolicy{}, []roundTripFunc{failed}, 250 * time.Millisecond},
		"cut":                   {client.RetryPolicy{}, []roundTripFunc{cut}, 250 * time.Millisecond},
		"408":                   {client.RetryPolicy{}, []roundTripFunc{responds(408, "")}, 250 * time.Millisecond},
		"own base":              {base(2 * time.Second), []roundTripFunc{failed}, 2 * time.Second},
		"503":                   {client.RetryPolicy{}, []roundTripFunc{busy}, time.Second},
		"429, then 503":         {client.RetryPolicy{}, []roundTripFunc{responds(429, ""), busy}, 2 * time.Second},
		"second":                {client.RetryPolicy{}, []roundTripFunc{responds(408, ""), failed}, 500 * time.Millisecond},
		"at most MaxDelay":      {client.RetryPolicy{MaxDelay: 300 * time.Millisecond}, []roundTripFunc{responds(408, ""), failed}, 300 * time.Millisecond},
		"a shorter Retry-After": {base(4 * time.Second), []roundTripFunc{responds(503, "", "Retry-After", "1")}, 4 * time.Second},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var waits []time.Duration
					for range n {
						var attempts []client.Attempt
						s := newScript(append(slices.Clone(test.before), responds(200, op.ok))...)
						if _, err := op.call(t.Context(), newClient(t, via(s), client.WithRetryPolicy(test.policy), record(&attempts))); err != nil {
							t.Fatal(err)
						}
						waits = append(waits, attempts[len(attempts)-2].RetryIn)
					}
					slices.Sort(waits)
					shortest, longest := waits[0], waits[n-1]
					if shortest < test.longest/2 || longest > test.longest {
						t.Errorf("waits range from %v to %v, want %v to %v", shortest, longest, test.longest/2, test.longest)
					}
					if spread := test.longest / 2; longest-shortest < spread*9/10 || (waits[n/2]-test.longest*3/4).Abs() > spread/4 {
						t.Errorf("waits range from %v to %v with a median of %v, want them uniform from %v to %v", shortest, longest, waits[n/2], spread, test.longest)
					}
				})
			})
		}
	}
}

// A definitive response shows that the server lives, a 400 as much as a 200. A retry
// that gets one is free, and a first attempt that gets one adds to the budget.
func TestDefinitiveResponsesFillBudget(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var steps []roundTripFunc // of the next calls
				c := newClient(t, via(roundTripFunc(func(req *http.Request) (*http.Response, error) {
					step := steps[0]
					steps = steps[1:]
					return step(req)
				})))
				call := func(next ...roundTripFunc) (left int) {
					steps = next
					_, _ = validate.call(t.Context(), c)
					return len(steps)
				}
				down, definitive := responds(503, ""), responds(status, "")
				for i := range 100 {
					if call(down, definitive) != 0 {
						t.Fatalf("call %d was not retried", i+1)
					}
				}
				for call(down, down, down) == 0 {
				}
				for range 2 * 14 {
					call(definitive)
				}
				if call(down, down, down) != 0 {
					t.Errorf("the budget is still empty after %d responses", 2*14)
				}
			})
		})
	}
}

// Link tokens that strangers make up must not use up the retries of real calls.
func TestGarbageTokensKeepBudget(t *testing.T) {
	t.Parallel()
	const calls, garbage, failing = 1000, 10, 0.02
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		c := newClient(t, via(roundTripFunc(func(req *http.Request) (*http.Response, error) {
			switch {
			case random.Float64() < failing:
				return response(500, ""), nil
			case strings.HasSuffix(req.URL.Path, "garbage"):
				return response(400, ""), nil
			}
			return response(200, validated), nil
		})))
		failed := 0
		for range calls {
			for range garbage {
				_, _ = c.ValidateLinkToken(t.Context(), "garbage")
			}
			if _, err := validate.call(t.Context(), c); err != nil {
				failed++
			}
		}
		t.Logf("%d of %d calls failed", failed, calls)
		if failed > 1 {
			t.Errorf("%d of %d calls failed, want at most 1", failed, calls)
		}
	})
}

// Callers know their own deadlines, so the error does not say that one prevented a
// retry.
func TestErrorTextOmitsDeadline(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]roundTripFunc{"response": responds(503, "", "Retry-After", "5"), "no response": fails(io.EOF)} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				var attempts []client.Attempt
				_, err := op.call(t.Context(), newClient(t, via(step), client.WithTimeout(time.Second), record(&attempts),
					client.WithRetryPolicy(client.RetryPolicy{BaseDelay: time.Hour, MaxDelay: time.Hour})))
				if len(attempts) != 1 || attempts[0].Reason != "deadline" {
					t.Fatalf("got %v after %+v, want one attempt with the reason deadline", err, attempts)
				}
				if strings.Contains(err.Error(), "deadline") {
					t.Errorf("%q mentions the deadline", err)
				}
			})
		}
	}
}
