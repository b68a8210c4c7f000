package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The benchmarks run the SDK and the floor in turns, in one process, and
// report what the SDK costs as a multiple of the floor: x_floor (time) and
// x_floor_allocs. Absolute times depend on the machine, the ratios much less.

// floor is the client that a careful programmer writes by hand: a timeout, the
// status checked, the body decoded, connections reused as the SDK does.
type floor struct {
	http http.Client
	base string
	key  string
}

func newFloor(base string, transport http.RoundTripper) *floor {
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 1000
		transport = t
	}
	return &floor{http: http.Client{Transport: transport, Timeout: 30 * time.Second}, base: base, key: benchKey}
}

func (f *floor) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		payload, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, method, f.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+f.key)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "floor")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func (f *floor) validate(ctx context.Context, token string) error {
	var out struct {
		Valid       bool
		ExpiresAt   int64
		WorkspaceID string
		CustomerID  string
	}
	return f.do(ctx, http.MethodGet, "/api/v1/link-token/"+url.PathEscape(token), nil, &out)
}

func (f *floor) generate(ctx context.Context, customer, workspace string) error {
	in := struct {
		CustomerID  string `json:"customerId"`
		WorkspaceID string `json:"workspaceId"`
	}{customer, workspace}
	var out struct {
		Token     string
		ExpiresAt int64
	}
	return f.do(ctx, http.MethodPost, "/api/v1/link-token", in, &out)
}

const (
	benchKey   = "sdk_benchmark_0123456789"
	benchToken = "lt_0123456789abcdef0123456789abcdef"

	generateAnswer = `{"token":"` + benchToken + `","expiresAt":1893456000000}`
	validateAnswer = `{"valid":true,"expiresAt":1893456000000,"workspaceId":"workspace_1","customerId":"customer_1"}`
)

func benchAnswer(method string) string {
	if method == http.MethodPost {
		return generateAnswer
	}
	return validateAnswer
}

// inProcess answers without a network.
type inProcess struct{}

func (inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	answer := benchAnswer(req.Method)
	return &http.Response{
		StatusCode:    http.StatusOK,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader([]byte(answer))),
		ContentLength: int64(len(answer)),
		Request:       req,
	}, nil
}

// loopback is a server that counts its connections.
func loopback(tb testing.TB) (base string, conns *atomic.Int64) {
	tb.Helper()
	conns = new(atomic.Int64)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, benchAnswer(r.Method))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	tb.Cleanup(s.Close)
	return s.URL, conns
}

func newBenchClient(tb testing.TB, base string, transport http.RoundTripper) *client.Client {
	tb.Helper()
	c, err := client.New(benchKey, client.WithBaseURL(base), client.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.CloseIdleConnections)
	return c
}

type calls struct{ validate, generate func(context.Context) error }

func sdkCalls(c *client.Client) calls {
	return calls{
		validate: func(ctx context.Context) error {
			_, err := c.ValidateLinkToken(ctx, benchToken)
			return err
		},
		generate: func(ctx context.Context) error {
			_, err := c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{CustomerID: "customer_1", WorkspaceID: "workspace_1"})
			return err
		},
	}
}

func floorCalls(f *floor) calls {
	return calls{
		validate: func(ctx context.Context) error { return f.validate(ctx, benchToken) },
		generate: func(ctx context.Context) error { return f.generate(ctx, "customer_1", "workspace_1") },
	}
}

// compare spreads calls of both over goroutines in turns of a few milliseconds
// and reports the SDK's cost as multiples of the floor's.
func compare(b *testing.B, goroutines int, sdk, floor func(context.Context) error) {
	const turn = 64 // calls of each goroutine
	run := func(call func(context.Context) error) {
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for range turn {
					if err := call(context.Background()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	type cost struct {
		time, cpu time.Duration
		allocs    uint64
	}
	measure := func(total *cost, call func(context.Context) error) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		cpu, start := cpuTime(), time.Now()
		run(call)
		total.time += time.Since(start)
		total.cpu += cpuTime() - cpu
		runtime.ReadMemStats(&after)
		total.allocs += after.Mallocs - before.Mallocs
	}
	run(sdk)
	run(floor)
	var ofSDK, ofFloor cost
	turns := 0
	for b.Loop() {
		if turns%2 == 0 {
			measure(&ofSDK, sdk)
			measure(&ofFloor, floor)
		} else {
			measure(&ofFloor, floor)
			measure(&ofSDK, sdk)
		}
		turns++
	}
	n := float64(turns * turn * goroutines)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ofSDK.time)/float64(ofFloor.time), "x_floor")
	b.ReportMetric(float64(ofSDK.allocs)/float64(ofFloor.allocs), "x_floor_allocs")
	b.ReportMetric(float64(ofSDK.allocs)/n, "allocs/call")
	b.ReportMetric(float64(ofSDK.time.Microseconds())/n, "µs/call")
	b.ReportMetric(float64(ofSDK.cpu.Nanoseconds())/1e3/n, "cpu-µs/call")
	b.ReportMetric(float64(ofFloor.cpu.Nanoseconds())/1e3/n, "floor-cpu-µs/call")
}

func BenchmarkNoNetwork(b *testing.B) {
	sdk := sdkCalls(newBenchClient(b, client.DefaultBaseURL, inProcess{}))
	floor := floorCalls(newFloor(client.DefaultBaseURL, inProcess{}))
	b.Run("validate", func(b *testing.B) { compare(b, 1, sdk.validate, floor.validate) })
	b.Run("generate", func(b *testing.B) { compare(b, 1, sdk.generate, floor.generate) })
}

// What a call allocates does not depend on the machine, so a test may hold it;
// the margin is for the race detector and other versions of Go.
func TestAllocations(t *testing.T) {
	sdk := sdkCalls(newBenchClient(t, client.DefaultBaseURL, inProcess{}))
	floor := floorCalls(newFloor(client.DefaultBaseURL, inProcess{}))
	for name, call := range map[string][2]func(context.Context) error{
		"validate": {sdk.validate, floor.validate},
		"generate": {sdk.generate, floor.generate},
	} {
		var allocs [2]float64
		for i := range call {
			allocs[i] = testing.AllocsPerRun(200, func() {
				if err := call[i](t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		}
		t.Logf("%s: %.0f allocations, %.0f by hand", name, allocs[0], allocs[1])
		if allocs[0] > 1.15*allocs[1] {
			t.Errorf("%s: %.0f allocations, want at most 1.15 times the %.0f by hand", name, allocs[0], allocs[1])
		}
	}
}

func BenchmarkLoopback(b *testing.B) {
	for _, goroutines := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			base, conns := loopback(b)
			floorBase, _ := loopback(b)
			sdk := sdkCalls(newBenchClient(b, base, nil))
			floor := floorCalls(newFloor(floorBase, nil))
			compare(b, goroutines, sdk.validate, floor.validate)
			b.ReportMetric(float64(conns.Load()), "conns")
		})
	}
}
