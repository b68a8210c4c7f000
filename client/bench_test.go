//go:build unix

package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The benchmarks compare the SDK with a hand-written client, the floor. Both run in
// one process, in short alternating rounds. The results are medians over all
// rounds. Those of the ratio of the SDK to the floor are:
//
//	x_floor         time per call; the throughput is its inverse
//	x_floor_cpu     processor time per call, including the server's
//	x_floor_allocs  allocations per call, including the server's
//
// Absolute times depend on the machine and its load. Over many rounds the ratios
// barely change: two identical clients differ by up to 3%.
//
//	go test -run '^$' -bench . -benchtime 800x ./client

// floor is a client as a careful programmer would write it by hand. It has a
// timeout, sends Accept and User-Agent, checks the status, decodes the body and
// reuses connections.
type floor struct {
	http http.Client
	base string
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
	req.Header.Set("Authorization", "Bearer "+testKey)
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

func (f *floor) validate(ctx context.Context) error {
	var out struct {
		Valid       bool
		ExpiresAt   int64
		WorkspaceID string
		CustomerID  string
	}
	return f.do(ctx, http.MethodGet, "/api/v1/link-token/"+url.PathEscape(testToken), nil, &out)
}

func (f *floor) generate(ctx context.Context) error {
	in := struct {
		CustomerID  string `json:"customerId"`
		WorkspaceID string `json:"workspaceId"`
	}{testRequest.CustomerID, testRequest.WorkspaceID}
	var out struct {
		Token     string
		ExpiresAt int64
	}
	return f.do(ctx, http.MethodPost, "/api/v1/link-token", in, &out)
}

// A pair makes the same call with the SDK and with the floor.
type pair struct{ sdk, floor func(context.Context) error }

// pairs returns a pair for each operation. The clients use transports of their own,
// or the given one.
func pairs(tb testing.TB, baseURL string, transport http.RoundTripper) (generate, validate pair) {
	tb.Helper()
	c := newClient(tb, client.WithBaseURL(baseURL), via(transport))
	if transport == nil {
		t := userTransport()
		t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 1000
		transport = t
	}
	f := &floor{http.Client{Transport: transport, Timeout: 30 * time.Second}, baseURL}
	tb.Cleanup(f.http.CloseIdleConnections)
	return pair{func(ctx context.Context) error {
			_, err := c.GenerateLinkToken(ctx, testRequest)
			return err
		}, f.generate}, pair{func(ctx context.Context) error {
			_, err := c.ValidateLinkToken(ctx, testToken)
			return err
		}, f.validate}
}

// benchBody returns the body of a response with the fields that the floor decodes.
func benchBody(method string) string {
	if method == http.MethodPost {
		return generated
	}
	return `{"valid":true,"expiresAt":1893456000000,"workspaceId":"w1","customerId":"c1"}`
}

// noNetwork is a RoundTripper that responds without a network.
func noNetwork(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	body := benchBody(req.Method)
	return &http.Response{
		StatusCode:    http.StatusOK,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader([]byte(body))),
		ContentLength: int64(len(body)),
		Request:       req,
	}, nil
}

// cost is what the calls of one round cost.
type cost struct{ time, cpu, allocs float64 }

// cpuTime returns the processor time used by the process.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure makes n calls in total, in several goroutines.
func measure(tb testing.TB, goroutines, n int, call func(context.Context) error) cost {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(tb), time.Now()
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range n / goroutines {
				if err := call(context.Background()); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	c := cost{time: float64(time.Since(start)), cpu: float64(cpuTime(tb) - cpu)}
	runtime.ReadMemStats(&after)
	c.allocs = float64(after.Mallocs - before.Mallocs)
	return c
}

// compare runs rounds of n calls and reports the SDK's cost, and its ratio to the
// floor's.
func compare(b *testing.B, goroutines, n int, calls pair) {
	measure(b, goroutines, n, calls.sdk) // opens connections
	measure(b, goroutines, n, calls.floor)
	results := map[string][]float64{}
	add := func(unit string, value float64) { results[unit] = append(results[unit], value) }
	for i := 0; b.Loop(); i++ {
		var sdk, floor cost
		if i%2 == 0 {
			sdk, floor = measure(b, goroutines, n, calls.sdk), measure(b, goroutines, n, calls.floor)
		} else {
			floor, sdk = measure(b, goroutines, n, calls.floor), measure(b, goroutines, n, calls.sdk)
		}
		add("x_floor", sdk.time/floor.time)
		add("x_floor_cpu", sdk.cpu/floor.cpu)
		add("x_floor_allocs", sdk.allocs/floor.allocs)
		add("µs/call", sdk.time/1e3/float64(n))
		add("cpu-µs/call", sdk.cpu/1e3/float64(n))
		add("allocs/call", sdk.allocs/float64(n))
	}
	b.ReportMetric(0, "ns/op")
	for unit, values := range results {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
	}
}

func BenchmarkNoNetwork(b *testing.B) {
	generate, validate := pairs(b, client.DefaultBaseURL, roundTripFunc(noNetwork))
	b.Run("validate", func(b *testing.B) { compare(b, 1, 200, validate) })
	b.Run("generate", func(b *testing.B) { compare(b, 1, 200, generate) })
}

func BenchmarkLoopback(b *testing.B) { compareOnWire(b) }

// BenchmarkHTTP2 uses TLS and HTTP/2, as production does.
func BenchmarkHTTP2(b *testing.B) { compareOnWire(b, http2) }

// compareOnWire sends all calls to the same server, because even two identical
// servers differ by some percent.
func compareOnWire(b *testing.B, configure ...func(*httptest.Server)) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprint("goroutines=", goroutines), func(b *testing.B) {
			server := serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.TLS != nil && r.ProtoMajor != 2 {
					w.WriteHeader(http.StatusHTTPVersionNotSupported)
				}
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, benchBody(r.Method))
			}), configure...)
			_, validate := pairs(b, server.URL, nil)
			compare(b, goroutines, max(32, 8*goroutines), validate)
		})
	}
}

// TestAllocations compares allocations, which don't depend on the machine. The
// margin is for the race detector and other versions of Go. The test is not
// parallel because it would count the allocations of other tests.
func TestAllocations(t *testing.T) {
	generate, validate := pairs(t, client.DefaultBaseURL, roundTripFunc(noNetwork))
	for name, calls := range map[string]pair{"generate": generate, "validate": validate} {
		allocs := func(call func(context.Context) error) float64 {
			return testing.AllocsPerRun(200, func() {
				if err := call(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		}
		sdk, floor := allocs(calls.sdk), allocs(calls.floor)
		t.Logf("%s: %.0f allocations, floor %.0f", name, sdk, floor)
		if sdk > 1.15*floor {
			t.Errorf("%s: %.0f allocations, want at most 1.15 times the floor's %.0f", name, sdk, floor)
		}
	}
}
