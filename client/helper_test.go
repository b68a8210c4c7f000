package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

const (
	testKey   = "sdk_canary_5f2c9e7d41b86a03"
	testToken = "lt_canary_e81d07c6b2f94a35"

	generated = `{"token":"` + testToken + `","expiresAt":1893456000}`
	validated = `{"valid":true,"expiresAt":1893456000,"workspaceId":"w1","customerId":"c1","externalBillingId":"b1"}`
)

var testRequest = client.GenerateLinkTokenRequest{CustomerID: "c1", WorkspaceID: "w1"}

// operation is one of the two, so that a table can run over both.
type operation struct {
	name string
	post bool   // a retry could do something twice
	ok   string // a good answer
	call func(context.Context, *client.Client) (any, error)
}

var operations = []operation{
	{"generateLinkToken", true, generated, func(ctx context.Context, c *client.Client) (any, error) {
		token, err := c.GenerateLinkToken(ctx, testRequest)
		if token == nil {
			return nil, err
		}
		return *token, err
	}},
	{"validateLinkToken", false, validated, func(ctx context.Context, c *client.Client) (any, error) {
		validation, err := c.ValidateLinkToken(ctx, testToken)
		if validation == nil {
			return nil, err
		}
		return *validation, err
	}},
}

var generate, validate = operations[0], operations[1]

// goodForAll answers every operation: fields of others do not harm.
func goodForAll(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	fields := map[string]any{}
	for _, op := range operations {
		if err := json.Unmarshal([]byte(op.ok), &fields); err != nil {
			panic(err)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(fields)
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// reply is an answer as a transport gives it.
func reply(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

// step is what a script does with one attempt.
type step func(*http.Request) (*http.Response, error)

func answers(status int, body string, header ...string) step {
	return func(*http.Request) (*http.Response, error) { return reply(status, body, header...), nil }
}

func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangs is silent until the attempt's context ends.
func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// script is a transport that takes one step per attempt, the last one again and
// again, and keeps what it was sent and when.
type script struct {
	steps []step

	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	times    []time.Time
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	s.mu.Lock()
	take := s.steps[min(len(s.requests), len(s.steps)-1)]
	s.requests = append(s.requests, req)
	s.bodies = append(s.bodies, string(body))
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	return take(req)
}

func (s *script) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// newClient returns a Client that sends its attempts to transport.
func newClient(tb testing.TB, transport http.RoundTripper, opts ...client.Option) *client.Client {
	tb.Helper()
	opts = append([]client.Option{client.WithHTTPClient(&http.Client{Transport: transport})}, opts...)
	c, err := client.New(testKey, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// newWireClient returns a Client of the server that handler makes, with the
// Client's own transport and hardly a wait between attempts.
func newWireClient(tb testing.TB, handler http.Handler, opts ...client.Option) (*client.Client, *httptest.Server) {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	opts = append([]client.Option{client.WithBaseURL(server.URL), client.WithRetryPolicy(quick)}, opts...)
	c, err := client.New(testKey, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.CloseIdleConnections)
	return c, server
}

// quick is a policy for tests on sockets, where time is real.
var quick = client.RetryPolicy{BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}

// listen gives each connection to serve, and closes it after that.
func listen(tb testing.TB, serve func(net.Conn)) (addr string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// silence keeps a connection open until the client closes it.
func silence(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// asResponse is the *ErrorResponse in err.
func asResponse(tb testing.TB, err error) *client.ErrorResponse {
	tb.Helper()
	var response *client.ErrorResponse
	if !errors.As(err, &response) {
		tb.Fatalf("got %v (%T), want an *ErrorResponse", err, err)
	}
	return response
}
