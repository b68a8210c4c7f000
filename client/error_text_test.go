package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func quoteJSON(text string) string {
	quoted, _ := json.Marshal(text) // can't fail for a string
	return string(quoted)
}

// The text for an attempt timeout does not depend on the protocol, nor on how much
// of the response was received.
func TestAttemptTimeoutText(t *testing.T) {
	t.Parallel()
	const want = "attempt timed out"
	hang := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // a return would complete the response
	}
	hangInBody := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "{")
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	}
	policy := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond, AttemptTimeout: 150 * time.Millisecond})
	var wg sync.WaitGroup // t.Parallel runs at most one subtest per core at a time
	for protocol, configure := range map[string][]func(*httptest.Server){"HTTP/1.1": nil, "TLS": {withTLS}, "HTTP/2": {http2}} {
		for where, handler := range map[string]http.HandlerFunc{"no response": hang, "incomplete response": hangInBody} {
			server := serve(t, handler, configure...)
			for _, op := range operations {
				wg.Go(func() {
					t.Run(protocol+"/"+where+"/"+op.name, func(t *testing.T) {
						var attempts []client.Attempt
						c := newClient(t, client.WithHTTPClient(server.Client()), client.WithBaseURL(server.URL), policy, record(&attempts))
						_, err := op.call(t.Context(), c)
						if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "after 2 attempts") {
							t.Errorf("got %v, want a deadline error after 2 attempts", err)
						}
						checkContainsOnce(t, want, err)
						for _, a := range attempts {
							checkContainsOnce(t, want, a.Err)
						}
					})
				})
			}
		}
	}
	wg.Wait()
}

func checkContainsOnce(t *testing.T, want string, err error) {
	t.Helper()
	if text := err.Error(); strings.Count(text, want) != 1 || strings.Count(text, "deadline exceeded") > 1 {
		t.Errorf("%q does not contain %q once", text, want)
	}
}

// After more than one attempt, the error says how many there were.
func TestErrorTextCountsAttempts(t *testing.T) {
	t.Parallel()
	down := responds(503, `{"error":{"code":7,"message":"down"}}`)
	for name, test := range map[string]struct {
		steps []roundTripFunc
		opts  []client.Option
		want  string // "" for a single attempt
	}{
		"one attempt":          {steps: []roundTripFunc{responds(400, "")}},
		"an error status":      {steps: []roundTripFunc{down}, want: "after 3 attempts"},
		"a final status":       {steps: []roundTripFunc{down, responds(401, "")}, want: "after 2 attempts"},
		"a transport error":    {steps: []roundTripFunc{fails(syscall.ECONNREFUSED)}, want: "after "},
		"malformed":            {steps: []roundTripFunc{down, responds(200, "{}")}, want: "after 2 attempts"},
		"an oversize response": {steps: []roundTripFunc{down, responds(200, strings.Repeat(" ", 1<<20+1))}, want: "after 2 attempts"},
		"the attempt timeout":  {steps: []roundTripFunc{down, hangs, hangs}, opts: []client.Option{client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 2})}, want: "after 2 attempts"},
		"the call's timeout":   {steps: []roundTripFunc{down, hangs}, opts: []client.Option{client.WithTimeout(6 * time.Second)}, want: "after 2 attempts"},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					_, err := op.call(t.Context(), newClient(t, append(test.opts, via(newScript(test.steps...)))...))
					if err == nil {
						t.Fatal("the call succeeded")
					}
					if got := strings.Count(err.Error(), " attempts"); test.want == "" && got != 0 || test.want != "" && got != 1 || !strings.Contains(err.Error(), test.want) {
						t.Errorf("%q does not contain %q once", err, test.want)
					}
				})
			})
		}
	}
}
