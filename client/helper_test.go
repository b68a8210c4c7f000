package client_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

const (
	testKey   = "sdk_canary_5f2c9e7d41b86a03"
	testToken = "lt_canary_e81d07c6b2f94a35"

	generated = `{"token":"` + testToken + `","expiresAt":1893456000}`
	validated = `{"valid":true,"expiresAt":1893456000,"workspaceId":"w1","customerId":"c1","externalBillingId":"b1"}`

	// either is a successful response to both operations, because each ignores the
	// fields of the other.
	either = `{"token":"` + testToken + `","valid":true,"expiresAt":1893456000,"workspaceId":"w1","customerId":"c1","externalBillingId":"b1"}`
)

var testRequest = client.GenerateLinkTokenRequest{CustomerID: "c1", WorkspaceID: "w1"}

// operation describes one of the two operations, for tests that cover both.
type operation struct {
	name string
	post bool   // whether a retry could create a second token
	ok   string // the body of a successful response
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

// TestMain makes http.DefaultTransport, and so the Client's own transport, trust the
// certificate of httptest.
func TestMain(m *testing.M) {
	server := httptest.NewTLSServer(nil)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	server.Close()
	http.DefaultTransport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	m.Run()
}

// inBubble runs a subtest in a synctest bubble.
func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// newClient returns a Client with testKey and opts.
func newClient(tb testing.TB, opts ...client.Option) *client.Client {
	tb.Helper()
	return newClientWithKey(tb, testKey, opts...)
}

func newClientWithKey(tb testing.TB, key string, opts ...client.Option) *client.Client {
	tb.Helper()
	c, err := client.New(key, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.CloseIdleConnections)
	return c
}

// via sends every attempt through rt.
func via(rt http.RoundTripper) client.Option {
	return client.WithHTTPClient(&http.Client{Transport: rt})
}

// userTransport returns a transport that a user may have made.
func userTransport() *http.Transport { return http.DefaultTransport.(*http.Transport).Clone() }

// withEachTransport runs test with the Client's own transport and with a user's.
func withEachTransport(t *testing.T, test func(*testing.T, client.Option)) {
	t.Helper()
	t.Run("own transport", func(t *testing.T) { test(t, client.WithHTTPClient(new(http.Client))) })
	t.Run("user's transport", func(t *testing.T) { test(t, via(userTransport())) })
}

// quick keeps waits short in tests that use sockets and therefore the real clock.
var quick = client.WithRetryPolicy(quickPolicy)

var quickPolicy = client.RetryPolicy{BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}

// record appends every attempt to attempts. Read it after the calls have
// returned.
func record(attempts *[]client.Attempt) client.Option {
	var mu sync.Mutex
	return client.WithObserver(func(_ context.Context, a client.Attempt) {
		mu.Lock()
		defer mu.Unlock()
		*attempts = append(*attempts, a)
	})
}

// allErrors returns the errors of a call and of its attempts.
func allErrors(err error, attempts []client.Attempt) []error {
	errs := []error{err}
	for _, a := range attempts {
		errs = append(errs, a.Err)
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// A roundTripFunc is an http.RoundTripper. It is also one step of a script.
type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// response returns a JSON response. header alternates names and values.
func response(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

func responds(status int, body string, header ...string) roundTripFunc {
	return func(*http.Request) (*http.Response, error) { return response(status, body, header...), nil }
}

func fails(err error) roundTripFunc {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// neverConnects fails like an http.Transport that gets no connection.
func neverConnects(err error) roundTripFunc {
	return func(req *http.Request) (*http.Response, error) {
		httptrace.ContextClientTrace(req.Context()).GetConn("prod.oneloop.ai:443")
		return nil, err
	}
}

// dialError wraps err in the way net.Dialer does if it can't connect.
func dialError(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

// hangs doesn't respond until the attempt's context ends.
func hangs(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// truncated responds, and fails in the middle of the body.
func truncated(status int) roundTripFunc {
	return withBody(status, func(context.Context) io.Reader {
		return io.MultiReader(strings.NewReader(`{"tok`), iotest.ErrReader(io.ErrUnexpectedEOF))
	})
}

// hangsInBody responds and then sends nothing until the attempt's context ends.
func hangsInBody(status int) roundTripFunc {
	return withBody(status, func(ctx context.Context) io.Reader { return hangingReader{ctx} })
}

func withBody(status int, body func(context.Context) io.Reader) roundTripFunc {
	return func(req *http.Request) (*http.Response, error) {
		resp := response(status, "")
		resp.Body = io.NopCloser(body(req.Context()))
		return resp, nil
	}
}

type hangingReader struct{ ctx context.Context }

func (r hangingReader) Read([]byte) (int, error) {
	<-r.ctx.Done()
	return 0, context.Cause(r.ctx) // as net/http does
}

// A script is a transport that performs one step per attempt, and repeats the last
// step. It records each request, its body and its time.
type script struct {
	steps []roundTripFunc

	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	times    []time.Time
}

func newScript(steps ...roundTripFunc) *script { return &script{steps: steps} }

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		_ = req.Body.Close()
	}
	s.mu.Lock()
	step := s.steps[min(len(s.requests), len(s.steps)-1)]
	s.requests = append(s.requests, req)
	s.bodies = append(s.bodies, string(body))
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	return step(req)
}

func (s *script) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

// respondOK sends a response that is successful for both operations.
func respondOK(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, either)
}

// serve starts a server on loopback. It uses TLS if configure sets server.TLS.
func serve(tb testing.TB, h http.Handler, configure ...func(*httptest.Server)) *httptest.Server {
	tb.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	for _, c := range configure {
		c(server)
	}
	if server.TLS != nil {
		server.StartTLS()
	} else {
		server.Start()
	}
	tb.Cleanup(server.Close)
	return server
}

func withTLS(s *httptest.Server) { s.TLS = new(tls.Config) }

func http2(s *httptest.Server) {
	withTLS(s)
	s.EnableHTTP2 = true
}

// countConns counts the connections of a server: all, and those currently open.
func countConns(all, open *atomic.Int64) func(*httptest.Server) {
	return func(s *httptest.Server) {
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				all.Add(1)
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
				open.Add(-1)
			}
		}
	}
}

// listen passes each connection to handle, and closes it when handle returns.
func listen(tb testing.TB, handle func(net.Conn)) (addr string) {
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
				handle(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// rawServer reads requests and calls handle to write the responses to conn. The
// numbers of the connection, and of the request on it, start at 1. If handle
// returns false, rawServer closes the connection.
func rawServer(tb testing.TB, handle func(conn net.Conn, connection, request int) bool) (baseURL string) {
	tb.Helper()
	var connections atomic.Int64
	return "http://" + listen(tb, func(conn net.Conn) {
		connection := int(connections.Add(1))
		in := bufio.NewReader(conn)
		for request := 1; ; request++ {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if !handle(conn, connection, request) {
				return
			}
		}
	})
}

// silence sends nothing, and returns when the client closes the connection.
func silence(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// closedPort returns an address that refuses connections. It is the client's end
// of a connection, so no server of another test can use the port meanwhile.
func closedPort(tb testing.TB) (addr string) {
	tb.Helper()
	conn, err := net.Dial("tcp", listen(tb, silence))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String()
}

// setDefaultTransport replaces http.DefaultTransport until the test ends. The test
// must not be parallel.
func setDefaultTransport(tb testing.TB, rt http.RoundTripper) {
	tb.Helper()
	standard := http.DefaultTransport
	tb.Cleanup(func() { http.DefaultTransport = standard })
	http.DefaultTransport = rt
}

// eventually reports whether ok returns true within 5 seconds.
func eventually(ok func() bool) bool {
	for start := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 5*time.Second {
			return false
		}
	}
	return true
}

// anyError, as and the results of is and isResponse report whether an error matches.
func anyError(err error) bool { return err != nil }

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

func isResponse(status int) func(error) bool {
	return func(err error) bool {
		var e *client.ErrorResponse
		return errors.As(err, &e) && e.StatusCode == status
	}
}

// asResponse returns the *ErrorResponse in err.
func asResponse(tb testing.TB, err error) *client.ErrorResponse {
	tb.Helper()
	var response *client.ErrorResponse
	if !errors.As(err, &response) {
		tb.Fatalf("got %v (%T), want an *ErrorResponse", err, err)
	}
	return response
}
