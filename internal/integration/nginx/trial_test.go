package nginx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A scenario configures the servers and the clients of a test.
type scenario struct {
	name       string
	directives directives
	silent     bool // put a proxy between client and nginx, for trial.proxy.silence
	policy     client.RetryPolicy
	apart      bool // run HTTP/1.1 before HTTP/2, and not at the same time
}

// A trial runs a scenario with one client and one protocol. It has its own servers.
type trial struct {
	http2    bool
	kind     string
	upstream *upstream
	nginx    *nginx
	proxy    *proxy // nil unless the scenario is silent
	caller   caller

	addr   string       // the address that the caller connects to
	made   atomic.Int64 // the number of calls
	mu     sync.Mutex
	errors map[string]int // the number of failed calls by error text
	result result
}

// run runs the scenario with every client and every protocol, and returns the results
// of the SDK. do makes the calls and causes the events.
func (s scenario) run(t *testing.T, do func(*trial)) (sdk []result) {
	t.Helper()
	before := measure()
	var all []*trial
	for _, http2 := range []bool{false, true} {
		var trials []*trial
		for _, kind := range kinds {
			trials = append(trials, s.prepare(t, http2, kind))
		}
		all = append(all, trials...)
		if s.apart {
			each(trials, do)
		}
	}
	if !s.apart {
		each(all, do)
	}
	each(all, func(tr *trial) { tr.release() })
	for _, tr := range all {
		tr.evaluate(t, s.name)
	}
	left := before.left()
	if left.goroutines > 0 || left.files > 0 {
		t.Errorf("%d goroutines and %d open files leaked", left.goroutines, left.files)
	}
	for _, tr := range all {
		tr.result.left = left
		report.add(tr.result)
		if tr.kind == sdkName {
			sdk = append(sdk, tr.result)
		}
	}
	return sdk
}

// each runs f for all trials concurrently.
func each(trials []*trial, f func(*trial)) {
	var all sync.WaitGroup
	for _, tr := range trials {
		all.Go(func() { f(tr) })
	}
	all.Wait()
}

func (s scenario) prepare(t *testing.T, http2 bool, k kind) *trial {
	t.Helper()
	tr := &trial{http2: http2, kind: k.name, upstream: startUpstream(t), errors: map[string]int{}}
	tr.nginx = startNginx(t, http2, tr.upstream.addr, s.directives)
	tr.addr = tr.nginx.addr
	if s.silent {
		tr.proxy = startProxy(t, tr.nginx.addr)
		tr.addr = tr.proxy.addr()
	}
	tr.caller = k.newCaller(t, "https://"+tr.addr, s.policy)
	return tr
}

// call makes one call. Odd calls generate, and even calls validate.
func (tr *trial) call(ctx context.Context) {
	n := tr.made.Add(1)
	id, start := fmt.Sprintf("call-%d", n), time.Now()
	do, isPOST := tr.caller.validate, false
	if n%2 == 1 {
		do, isPOST = tr.caller.generate, true
	}
	err := do(ctx, id)
	took := time.Since(start)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.result.longest = max(tr.result.longest, took)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // remove the URL, which differs between calls
		}
		tr.errors[err.Error()]++
		tr.result.lost++
		if isPOST {
			tr.result.lostPOST++
		}
	}
}

// calls makes n calls in each of several goroutines.
func (tr *trial) calls(ctx context.Context, goroutines, n int) {
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range n {
				tr.call(ctx)
			}
		})
	}
	all.Wait()
}

// load makes calls in several goroutines for the duration d.
func (tr *trial) load(goroutines int, d time.Duration) {
	var all sync.WaitGroup
	end := time.Now().Add(d)
	for range goroutines {
		all.Go(func() {
			for time.Now().Before(end) {
				tr.call(context.Background())
			}
		})
	}
	all.Wait()
}

// release closes the caller's idle connections. It waits until they are closed, and
// then stops the servers.
func (tr *trial) release() {
	deadline := time.Now().Add(10 * time.Second)
	for {
		tr.caller.close()
		tr.result.connections = connections.to(tr.addr)
		if tr.result.connections.open == 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if tr.proxy != nil {
		tr.proxy.stop()
	}
	tr.nginx.stop()
	tr.upstream.kill()
}

// evaluate completes the result with the requests that the servers received.
func (tr *trial) evaluate(t *testing.T, scenario string) {
	t.Helper()
	r := &tr.result
	r.scenario, r.client, r.protocol = scenario, tr.kind, "HTTP/1.1"
	if tr.http2 {
		r.protocol = "HTTP/2"
	}
	r.calls = int(tr.made.Load())
	r.requests = tr.nginx.log(t)
	for _, requests := range r.requests {
		r.received += len(requests)
		r.most = max(r.most, len(requests))
	}
	for of, n := range tr.upstream.seen() {
		if n > 1 {
			r.duplicates++
		}
		if of.method == http.MethodPost {
			r.mostPOST = max(r.mostPOST, n)
		}
	}
	for text, n := range tr.errors {
		t.Logf("%s, %s: %d calls lost: %s", r.client, r.protocol, n, text)
	}
	if problems := tr.nginx.problems(); problems != "" {
		t.Logf("nginx, %s, %s:\n%s", r.client, r.protocol, problems)
	}
	if open := r.connections.open; open > 0 && tr.kind == sdkName {
		t.Errorf("%s, %s: %d connections are open after CloseIdleConnections", r.client, r.protocol, open)
	}
}

// resources counts resources that a program must not leak.
type resources struct{ goroutines, files int }

func measure() resources {
	files, _ := os.ReadDir("/dev/fd")
	return resources{runtime.NumGoroutine(), len(files)}
}

// left returns how many more resources there are than before. It waits a moment for
// them to be released.
func (before resources) left() resources {
	var left resources
	for range 500 {
		now := measure()
		left = resources{now.goroutines - before.goroutines, now.files - before.files}
		if left.goroutines <= 0 && left.files <= 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return left
}
