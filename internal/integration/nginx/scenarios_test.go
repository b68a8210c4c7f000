package nginx

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// nginx closes a connection after keepalive_requests requests, even if more requests
// are in flight. Over HTTP/2, it sends GOAWAY.
func TestKeepaliveRequests(t *testing.T) {
	for _, tt := range []struct{ requests, goroutines int }{{5, 16}, {20, 64}, {100, 256}} {
		name := fmt.Sprintf("keepalive_requests %d, %d goroutines", tt.requests, tt.goroutines)
		t.Run(name, func(t *testing.T) {
			s := scenario{name: name, directives: directives{HTTP: fmt.Sprintf("keepalive_requests %d;", tt.requests)}, apart: true}
			for _, r := range s.run(t, func(tr *trial) { tr.load(tt.goroutines, 1500*time.Millisecond) }) {
				r.wantLost(t, 0)
			}
		})
	}
}

// nginx closes idle connections after a second, just when clients reuse them.
func TestKeepaliveTimeout(t *testing.T) {
	s := scenario{name: "keepalive_timeout 1s", directives: directives{HTTP: "keepalive_timeout 1s;"}}
	results := s.run(t, func(tr *trial) {
		for range 3 {
			tr.calls(context.Background(), 32, 1)
			time.Sleep(time.Second - 5*time.Millisecond + rand.N(10*time.Millisecond))
		}
	})
	for _, r := range results {
		r.wantLost(t, 0)
	}
}

// A reload closes the idle connections of old workers at once, and the others when
// their requests are done.
func TestReload(t *testing.T) {
	s := scenario{name: "reload every second"}
	results := s.run(t, func(tr *trial) {
		during(time.Second, func() {
			if err := tr.nginx.reload(); err != nil {
				t.Error(err)
			}
		}, func() { tr.load(16, 3500*time.Millisecond) })
	})
	for _, r := range results {
		r.wantLost(t, 0)
	}
}

// during calls tick every interval while f runs.
func during(interval time.Duration, tick, f func()) {
	stop := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				tick()
			case <-stop:
				return
			}
		}
	})
	f()
	close(stop)
	ticking.Wait()
}

// The upstream is killed every second and restarts after a moment. Meanwhile, nginx
// responds with 502, whether or not the upstream has processed the request. With the
// default policy, the only retry of a POST comes after this outage. All retries of a
// GET may come before its end.
func TestUpstreamRestarts(t *testing.T) {
	const outage = 100 * time.Millisecond
	s := scenario{name: fmt.Sprintf("upstream restarts, %v each", outage)}
	results := s.run(t, func(tr *trial) {
		during(time.Second, func() {
			tr.upstream.kill()
			time.Sleep(outage)
			if err := tr.upstream.start(); err != nil {
				t.Error(err)
			}
		}, func() { tr.load(16, 3500*time.Millisecond) })
	})
	for _, r := range results {
		if r.lostPOST > 0 {
			t.Errorf("%s: %d generate calls lost, want none", r.protocol, r.lostPOST)
		}
		r.wantLost(t, r.calls/100)
		if r.mostPOST > 2 {
			t.Errorf("%s: the upstream received %d requests of one generate call, want at most 2", r.protocol, r.mostPOST)
		}
	}
}

// If nginx limits the rate, calls are retried after the wait that it asks for, and
// succeed.
func TestRateLimit(t *testing.T) {
	s := scenario{
		name: "limit_req, Retry-After: 1",
		directives: directives{
			HTTP: "limit_req_zone $binary_remote_addr zone=calls:1m rate=20r/s;",
			Server: `location @busy {
				default_type application/json;
				add_header Retry-After 1 always;
				return 429 '{"error":{"code":429,"message":"slow down"}}';
			}`,
			Location: "limit_req zone=calls burst=20 nodelay; limit_req_status 429; error_page 429 = @busy;",
		},
	}
	results := s.run(t, func(tr *trial) { tr.load(8, 3*time.Second) })
	for _, r := range results {
		r.wantLost(t, 0)
		for id, requests := range r.requests {
			for i, next := range requests[1:] {
				before := requests[i]
				if gap := next.at.Sub(before.at); before.status == http.StatusTooManyRequests && gap < 990*time.Millisecond {
					t.Errorf("%s: %s was retried %v after a 429 with Retry-After: 1", r.protocol, id, gap)
				}
			}
		}
		if r.duplicates > 0 {
			t.Errorf("%s: %d calls reached the upstream twice", r.protocol, r.duplicates)
		}
	}
}

// Existing connections stop responding, and new ones work. At most one call is lost
// each time.
func TestSilentConnections(t *testing.T) {
	for _, tt := range []struct {
		name       string
		goroutines int
		policy     client.RetryPolicy
		silences   int
		patience   time.Duration // with net/http alone, which may never recover
	}{
		// HTTP/2 pings notice it before attempts time out.
		{"silent connections, 30 goroutines", 30, client.RetryPolicy{}, 1, 9 * time.Second},
		// Attempts time out before pings notice it.
		{"silent 3 times, attempts of 1 s, 1 goroutine", 1, client.RetryPolicy{AttemptTimeout: time.Second}, 3, 4 * time.Second},
		{"silent 3 times, attempts of 1 s, 30 goroutines", 30, client.RetryPolicy{AttemptTimeout: time.Second}, 3, 4 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := scenario{name: tt.name, silent: true, policy: tt.policy}
			results := s.run(t, func(tr *trial) {
				patience := 15 * time.Second
				if tr.kind != sdkName {
					patience = tt.patience
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				tr.calls(ctx, tt.goroutines, 1)
				for range tt.silences {
					tr.proxy.silence()
					tr.calls(ctx, tt.goroutines, 5)
				}
			})
			for _, r := range results {
				r.wantLost(t, tt.silences)
			}
		})
	}
}

// nginx closes the connection without a response. Over HTTP/2, it sends GOAWAY, which
// makes net/http resend the request without end.
func TestReturn444(t *testing.T) {
	s := scenario{name: "return 444", directives: directives{Location: "return 444;"}}
	results := s.run(t, func(tr *trial) {
		ctx := context.Background()
		if tr.kind != sdkName { // net/http would resend until its timeout
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, 3*time.Second)
			defer cancel()
		}
		tr.calls(ctx, 16, 1)
	})
	const limit = 16
	for _, r := range results {
		if r.most > limit {
			t.Errorf("%s: %d requests in one call, want at most %d", r.protocol, r.most, limit)
		}
	}
}

func (r result) wantLost(t *testing.T, most int) {
	t.Helper()
	if r.lost > most {
		t.Errorf("%s: %d of %d calls lost, want at most %d", r.protocol, r.lost, r.calls, most)
	}
}
