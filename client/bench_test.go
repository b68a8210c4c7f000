package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The benchmarks compare the SDK with a hand-written client, the floor. Both run in
// one process, in short alternating rounds. The results are medians, over all
// rounds, of the ratio of the SDK to the floor:
//
//	x_floor             time per call
//	x_floor_throughput  calls per second
//	x_floor_cpu         processor time per call, including the server's
//	x_floor_allocs      allocations per call, including the server's
//
// Absolute times depend on the machine and its load. Over many rounds the ratios
// hardly do: two identical clients differ by up to 3 %.
//
//	go test -run '^$' -bench . -benchtime 800x ./client

// floor is a client as a careful programmer would write it by hand. It has a
// timeout, sends Accept and User-Agent, checks the status, decodes the body and
// reuses connections.
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
)

func benchResponse(method string) string {
	if method == http.MethodPost {
		return `{"token":"` + benchToken + `","expiresAt":1893456000000}`
	}
	return `{"valid":true,"expiresAt":1893456000000,"workspaceId":"workspace_1","customerId":"customer_1"}`
}

// noNetwork is a RoundTripper that responds without a network.
func noNetwork(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	body := benchResponse(req.Method)
	return &http.Response{
		StatusCode:    http.StatusOK,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(bytes.NewReader([]byte(body))),
		ContentLength: int64(len(body)),
		Request:       req,
	}, nil
}

// benchServer starts a server and counts its connections.
func benchServer(tb testing.TB, configure ...func(*httptest.Server)) (server *httptest.Server, conns *atomic.Int64) {
	tb.Helper()
	conns = new(atomic.Int64)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.TLS != nil && r.ProtoMajor != 2 {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, benchResponse(r.Method))
	})
	return serve(tb, handler, append(configure, countConns(conns, new(atomic.Int64)))...), conns
}

// calls holds the two operations of a client.
type calls struct{ validate, generate func(context.Context) error }

func sdkCalls(tb testing.TB, opts ...client.Option) calls {
	tb.Helper()
	c := newClient(tb, opts...)
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

// cost is what the calls of one round cost.
type cost struct {
	time, cpu time.Duration
	allocs    uint64
	conns     int64 // opened
}

// measure makes n calls in total, in several goroutines. conns counts the
// connections that are opened.
func measure(tb testing.TB, conns *atomic.Int64, goroutines, n int, call func(context.Context) error) cost {
	opened := conns.Load()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
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
	c := cost{time: time.Since(start), cpu: cpuTime() - cpu}
	runtime.ReadMemStats(&after)
	c.allocs = after.Mallocs - before.Mallocs
	c.conns = conns.Load() - opened
	return c
}

// compare runs rounds of n calls and reports the SDK's cost relative to the
// floor's.
func compare(b *testing.B, conns *atomic.Int64, goroutines, n int, sdk, floor func(context.Context) error) {
	sdkConns := measure(b, conns, goroutines, n, sdk).conns // the first round opens most connections
	floorConns := measure(b, conns, goroutines, n, floor).conns
	var xTime, xThroughput, xCPU, xAllocs, perCall, allocsPerCall []float64
	for b.Loop() {
		var ofSDK, ofFloor cost
		if len(xTime)%2 == 0 {
			ofSDK = measure(b, conns, goroutines, n, sdk)
			ofFloor = measure(b, conns, goroutines, n, floor)
		} else {
			ofFloor = measure(b, conns, goroutines, n, floor)
			ofSDK = measure(b, conns, goroutines, n, sdk)
		}
		sdkConns += ofSDK.conns
		floorConns += ofFloor.conns
		xTime = append(xTime, float64(ofSDK.time)/float64(ofFloor.time))
		xThroughput = append(xThroughput, float64(ofFloor.time)/float64(ofSDK.time))
		if ofFloor.cpu > 0 { // unknown on some systems
			xCPU = append(xCPU, float64(ofSDK.cpu)/float64(ofFloor.cpu))
		}
		xAllocs = append(xAllocs, float64(ofSDK.allocs)/float64(ofFloor.allocs))
		perCall = append(perCall, float64(ofSDK.time.Nanoseconds())/1e3/float64(n))
		allocsPerCall = append(allocsPerCall, float64(ofSDK.allocs)/float64(n))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(xTime), "x_floor")
	b.ReportMetric(median(xThroughput), "x_floor_throughput")
	b.ReportMetric(median(xCPU), "x_floor_cpu")
	b.ReportMetric(median(xAllocs), "x_floor_allocs")
	b.ReportMetric(median(perCall), "µs/call")
	b.ReportMetric(median(allocsPerCall), "allocs/call")
	b.ReportMetric(float64(sdkConns), "conns")
	b.ReportMetric(float64(floorConns), "floor-conns")
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func BenchmarkNoNetwork(b *testing.B) {
	sdk := sdkCalls(b, via(roundTripFunc(noNetwork)))
	floor := floorCalls(newFloor(client.DefaultBaseURL, roundTripFunc(noNetwork)))
	b.Run("validate", func(b *testing.B) { compare(b, new(atomic.Int64), 1, 200, sdk.validate, floor.validate) })
	b.Run("generate", func(b *testing.B) { compare(b, new(atomic.Int64), 1, 200, sdk.generate, floor.generate) })
}

func BenchmarkLoopback(b *testing.B) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprint("goroutines=", goroutines), func(b *testing.B) { compareOverLoopback(b, goroutines) })
	}
}

// BenchmarkHTTP2 uses TLS and HTTP/2, as production does.
func BenchmarkHTTP2(b *testing.B) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprint("goroutines=", goroutines), func(b *testing.B) { compareOverLoopback(b, goroutines, http2) })
	}
}

// compareOverLoopback sends all calls to the same server, because even two identical
// servers differ by some percent. Both clients use copies of http.DefaultTransport,
// which trusts the server.
func compareOverLoopback(b *testing.B, goroutines int, configure ...func(*httptest.Server)) {
	server, conns := benchServer(b, configure...)
	standard := http.DefaultTransport.(*http.Transport).Clone()
	if cert := server.Certificate(); cert != nil {
		standard.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		standard.TLSClientConfig.RootCAs.AddCert(cert)
	}
	setDefaultTransport(b, standard)
	sdk := sdkCalls(b, client.WithBaseURL(server.URL))
	floor := newFloor(server.URL, nil)
	b.Cleanup(floor.http.CloseIdleConnections)
	compare(b, conns, goroutines, max(32, 8*goroutines), sdk.validate, floorCalls(floor).validate)
}

// TestAllocations compares allocations, which don't depend on the machine. The
// margin is for the race detector and other versions of Go. The test is not
// parallel because it would count the allocations of other tests.
func TestAllocations(t *testing.T) {
	sdk := sdkCalls(t, via(roundTripFunc(noNetwork)))
	floor := floorCalls(newFloor(client.DefaultBaseURL, roundTripFunc(noNetwork)))
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
		t.Logf("%s: %.0f allocations, floor %.0f", name, allocs[0], allocs[1])
		if allocs[0] > 1.15*allocs[1] {
			t.Errorf("%s: %.0f allocations, want at most 1.15 times the floor's %.0f", name, allocs[0], allocs[1])
		}
	}
}
