package transport

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func request(ctx context.Context, url string) *http.Request {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		panic(err)
	}
	return req
}

// send sends a request through rt, with a timeout of 2 s and a deadline after 10 s.
func send(ctx context.Context, rt roundTripFunc) Result {
	return New(rt, false, 2*time.Second).Send(request(ctx, "http://server.example"), nil, time.Now().Add(10*time.Second))
}

func respond(status int, body io.Reader) roundTripFunc {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(body)}, nil
	}
}

func fail(err error) roundTripFunc {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func TestSend(t *testing.T) {
	errBroken := errors.New("broken")
	broken := io.MultiReader(strings.NewReader("{"), iotest.ErrReader(errBroken))
	for name, test := range map[string]struct {
		roundTrip roundTripFunc
		status    int
		body      string
		err       error
		fate      Fate
	}{
		"a response":          {respond(200, strings.NewReader("{}")), 200, "{}", nil, Unknown},
		"an error status":     {respond(503, strings.NewReader("{}")), 503, "{}", nil, Unknown},
		"a full body":         {respond(200, strings.NewReader(strings.Repeat("x", maxBody))), 200, strings.Repeat("x", maxBody), nil, Unknown},
		"too large a body":    {respond(503, strings.NewReader(strings.Repeat("x", maxBody+1))), 503, strings.Repeat("x", maxBody), ErrTooLarge, Unknown},
		"a broken body":       {respond(200, broken), 200, "{", errBroken, Unknown},
		"no body":             {func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil }, 204, "", nil, Unknown},
		"switching protocols": {respond(101, iotest.ErrReader(errBroken)), 101, "", nil, Unknown},
		"an error":            {fail(io.EOF), 0, "", io.EOF, Unknown},
		"unknown host":        {fail(&net.DNSError{IsNotFound: true}), 0, "", nil, Hopeless},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t.Context(), test.roundTrip)
			if got.Status != test.status || string(got.Body) != test.body || test.err != nil && !errors.Is(got.Err, test.err) || got.Status == 0 && got.Fate != test.fate {
				t.Errorf("got status %d, a body of %d bytes, fate %d, error %v", got.Status, len(got.Body), got.Fate, got.Err)
			}
			if wantErr := test.err != nil || test.status == 0; (got.Err != nil) != wantErr {
				t.Errorf("got error %v", got.Err)
			}
		})
	}
	for name, resp := range map[string]*http.Response{"neither": nil, "no status": {}} {
		got := send(t.Context(), func(*http.Request) (*http.Response, error) { return resp, nil })
		if got.Status != 0 || got.Err == nil {
			t.Errorf("%s: got %+v, want an error", name, got)
		}
	}
}

func TestSendReplacesHeader(t *testing.T) {
	req := request(t.Context(), "http://server.example")
	req.Header.Set("A", "1")
	var got http.Header
	New(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		got = req.Header
		return nil, io.EOF
	}), false, time.Second).Send(req, http.Header{"B": {"2"}}, time.Now().Add(time.Second))
	if fmt.Sprint(got, req.Header) != "map[B:[2]] map[A:[1]]" {
		t.Errorf("sent %v, and the request has %v", got, req.Header)
	}
}

// net/http may call the trace after the request has ended.
func TestLateTrace(t *testing.T) {
	var trace *httptrace.ClientTrace
	send(t.Context(), func(req *http.Request) (*http.Response, error) {
		trace = httptrace.ContextClientTrace(req.Context())
		return nil, io.EOF
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		trace.GetConn("")
		trace.GotConn(httptrace.GotConnInfo{})
		trace.GotFirstResponseByte()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("the trace is blocked")
	}
}

// The error says what ended the request, and never matches a cause of the program's.
func TestSendEnds(t *testing.T) {
	errOwn := errors.New("the program's cause")
	until := func(d time.Duration, cause error) func(context.Context) (context.Context, func()) {
		return func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(d, func() { cancel(cause) })
			return ctx, func() { timer.Stop(); cancel(nil) }
		}
	}
	waits := func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, context.Cause(req.Context()) // as net/http does
	}
	for name, test := range map[string]struct {
		context  func(context.Context) (context.Context, func())
		deadline time.Duration
		hidden   error // what the transport returns in place of the context's error
		want     error
		text     string
		after    time.Duration
	}{
		"timeout":             {nil, time.Minute, nil, context.DeadlineExceeded, "attempt timed out: context deadline exceeded", 2 * time.Second},
		"timeout, hidden":     {nil, time.Minute, io.EOF, context.DeadlineExceeded, "attempt timed out: context deadline exceeded: EOF", 2 * time.Second},
		"timeout, wrapped":    {nil, time.Minute, fmt.Errorf("dial: %w", context.DeadlineExceeded), context.DeadlineExceeded, "attempt timed out: context deadline exceeded: dial: context deadline exceeded", 2 * time.Second},
		"both at once":        {nil, 2 * time.Second, nil, context.DeadlineExceeded, "call timed out: context deadline exceeded", 2 * time.Second},
		"deadline":            {nil, time.Second, nil, context.DeadlineExceeded, "call timed out: context deadline exceeded", time.Second},
		"deadline has passed": {nil, -1, nil, context.DeadlineExceeded, "call timed out: context deadline exceeded", 0},
		"canceled":            {until(time.Second, nil), time.Minute, nil, context.Canceled, "context canceled", time.Second},
		"canceled, hidden":    {until(time.Second, nil), time.Minute, io.EOF, context.Canceled, "context canceled: EOF", time.Second},
		"canceled by a cause": {until(time.Second, errOwn), time.Minute, nil, context.Canceled, "context canceled", time.Second},
		"cause, hidden":       {until(time.Second, errOwn), time.Minute, io.EOF, context.Canceled, "context canceled", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.context != nil {
					var cancel func()
					ctx, cancel = test.context(ctx)
					defer cancel()
				}
				start := time.Now()
				got := New(roundTripFunc(func(req *http.Request) (*http.Response, error) {
					resp, err := waits(req)
					return resp, cmp.Or(test.hidden, err)
				}), false, 2*time.Second).Send(request(ctx, "http://server.example"), nil, start.Add(test.deadline))
				if !errors.Is(got.Err, test.want) || errors.Is(got.Err, errOwn) || got.Err.Error() != test.text {
					t.Errorf("got %v", got.Err)
				}
				if got.Duration != test.after || time.Since(start) != test.after {
					t.Errorf("it took %v, and Duration is %v, want %v", time.Since(start), got.Duration, test.after)
				}
			})
		})
	}
}

func TestNoURL(t *testing.T) {
	withURL := func(err error) error { return &url.Error{Op: "Get", URL: "http://server.example/secret", Err: err} }
	for name, err := range map[string]error{
		"one":     withURL(io.EOF),
		"two":     withURL(withURL(io.EOF)),
		"wrapped": fmt.Errorf("wrapped: %w", withURL(fmt.Errorf("wrapped: %w", withURL(io.EOF)))),
		"joined":  errors.Join(withURL(io.EOF), io.ErrUnexpectedEOF),
	} {
		got := send(t.Context(), fail(err))
		var found *url.Error
		if errors.As(got.Err, &found) || !errors.Is(got.Err, io.EOF) || strings.Contains(got.Err.Error(), "secret") {
			t.Errorf("%s: got %v", name, got.Err)
		}
	}
}

func TestFate(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		none bool
		want Fate
	}{
		"EOF":                            {io.EOF, false, Unknown},
		"EOF, no connection":             {io.EOF, true, NotSent},
		"refused, no connection":         {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true, NotSent},
		"refused, after a connection":    {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, false, Unknown},
		"unknown host":                   {&net.DNSError{IsNotFound: true}, true, Hopeless},
		"DNS failure, a host named tls":  {&net.DNSError{Err: "server misbehaving", Name: "tls"}, true, NotSent},
		"certificate":                    {x509.UnknownAuthorityError{}, true, Hopeless},
		"TLS alert after the connection": {errors.New("remote error: tls: bad certificate"), false, Hopeless},
		"not TLS, no connection":         {errors.New("mtls: not ready"), true, NotSent},
		"TLS handshake timeout":          {errors.New("net/http: TLS handshake timeout"), true, NotSent},
		"refused by a proxy":             {fmt.Errorf("proxy %w", errProxyRefused), true, Hopeless},
	} {
		if got := fateOf(test.err, connections{none: test.none}); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}

// Over a socket, net/http's trace tells whether there was a connection.
func TestNeverConnected(t *testing.T) {
	closing := httptest.NewUnstartedServer(nil)
	closing.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conn.Close()
		}
	}
	closing.Start()
	defer closing.Close()
	dead := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
	hangs := func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, test := range map[string]struct {
		url  string
		dial func(context.Context, string, string) (net.Conn, error)
		want Fate
		text string
	}{
		"closed after the connection": {closing.URL, nil, Unknown, ""},
		"closed in the handshake":     {strings.Replace(closing.URL, "http", "https", 1), nil, NotSent, ""},
		"a dial function's own error": {closing.URL, dead, NotSent, "no route"},
		"no connection in time":       {closing.URL, hangs, NotSent, "could not connect: attempt timed out: context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			rt := &http.Transport{DialContext: test.dial}
			defer rt.CloseIdleConnections()
			got := New(rt, false, 100*time.Millisecond).Send(request(t.Context(), test.url), http.Header{}, time.Now().Add(time.Minute))
			if got.Fate != test.want || got.Err == nil || test.text != "" && got.Err.Error() != test.text {
				t.Errorf("got fate %d, error %v", got.Fate, got.Err)
			}
		})
	}
}
