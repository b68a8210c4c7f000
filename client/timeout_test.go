package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// within returns a context with the timeout d, or without one if d is 0.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// hangsSilently is like hangs, but returns an error of its own instead of the
// context's.
func hangsSilently(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, errors.New("stopped")
}

// AttemptTimeout limits each attempt, and so does the Timeout of an http.Client if it
// is less.
func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		step                    roundTripFunc
		attempt, ofClient, want time.Duration
	}{
		"default":           {hangs, 0, 0, 8 * time.Second},
		"own":               {hangs, time.Second, 0, time.Second},
		"silently":          {hangsSilently, time.Second, 0, time.Second},
		"in the body":       {hangsInBody(200), time.Second, 0, time.Second},
		"of an http.Client": {hangs, 0, time.Second, time.Second},
		"longer than that":  {hangs, 0, time.Minute, 8 * time.Second},
	} {
		inBubble(t, name, func(t *testing.T) {
			var attempts []client.Attempt
			start := time.Now()
			_, err := validate.call(t.Context(), newClient(t, client.WithTimeout(0), record(&attempts),
				client.WithHTTPClient(&http.Client{Timeout: test.ofClient, Transport: test.step}),
				client.WithRetryPolicy(client.RetryPolicy{AttemptTimeout: test.attempt, BaseDelay: 1, MaxDelay: 1})))
			if !errors.Is(err, context.DeadlineExceeded) || len(attempts) != 3 || time.Since(start).Round(time.Second) != 3*test.want {
				t.Errorf("got %v after %d attempts and %v, want context.DeadlineExceeded after 3", err, len(attempts), time.Since(start))
			}
			for _, a := range attempts {
				if a.Duration != test.want {
					t.Errorf("attempt %d took %v, want %v", a.Number, a.Duration, test.want)
				}
			}
		})
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
			inBubble(t, name+"/"+op.name, func(t *testing.T) {
				ctx, cancel := within(t.Context(), test.deadline)
				defer cancel()
				c := newClientWithKey(t, test.key, append(test.opts, via(roundTripFunc(hangs)), patient)...)
				start := time.Now()
				_, err := op.call(ctx, c)
				if got := time.Since(start); got != test.want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v after %v, want a deadline error after %v", err, got, test.want)
				}
			})
		}
	}
}

// The error text names the timeout that ended the call, and names it once. It does
// not depend on the protocol, nor on how much of the response was received. If there
// was no connection yet, it says so. Not parallel: it replaces http.DefaultTransport.
func TestTimeoutText(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) {
		hangOnWire(w, r)
		panic(http.ErrAbortHandler) // a return would complete the response
	}
	hangInBody := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "{")
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	}
	slowKey := client.WithKeySource(func(context.Context) (string, error) {
		time.Sleep(time.Millisecond) // so that both limits don't end at the same instant
		return testKey, nil
	})
	limits := map[string]client.Option{
		"attempt timed out": client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2, AttemptTimeout: time.Second}),
		"call timed out":    client.WithTimeout(time.Second),
	}
	for where, test := range map[string]struct {
		dialTakes, acceptTakes time.Duration
		handler                http.HandlerFunc
		protocols              []string
		connected              bool
	}{
		"dial":                {time.Minute, 0, hang, protocols, false},
		"TLS handshake":       {0, time.Minute, hang, []string{"TLS", "HTTP/2"}, false},
		"no response":         {0, 0, hang, []string{"HTTP/1.1", "TLS", "HTTP/2"}, true},
		"incomplete response": {0, 0, hangInBody, []string{"HTTP/1.1", "TLS", "HTTP/2"}, true},
	} {
		for _, protocol := range test.protocols {
			for want, limit := range limits {
				for _, op := range operations {
					withPipes(t, strings.Join([]string{protocol, where, want, op.name}, "/"), protocol, test.handler, func(t *testing.T, server *pipeServer) {
						server.dialTakes, server.acceptTakes = test.dialTakes, test.acceptTakes
						server.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
							return server.dial(context.WithoutCancel(ctx), network, addr) // so that only the attempt times out
						}
						var attempts []client.Attempt
						_, err := op.call(t.Context(), newClientWithKey(t, "", slowKey, client.WithBaseURL(server.baseURL), limit, record(&attempts)))
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Fatalf("got %v, want a deadline error", err)
						}
						if several := want == "attempt timed out"; strings.Contains(err.Error(), "after 2 attempts") != several {
							t.Errorf("got %q, want the number of attempts in it: %t", err, several)
						}
						for _, err := range allErrors(err, attempts) {
							text := err.Error()
							if strings.Count(text, want) != 1 || strings.Count(text, "timed out") != 1 || strings.Count(text, "deadline exceeded") > 1 {
								t.Errorf("%q does not contain %q once", text, want)
							}
							if strings.Contains(text, "connect") == test.connected {
								t.Errorf("%q mentions the connection: %t, want %t", text, test.connected, !test.connected)
							}
						}
					})
				}
			}
		}
	}
}
