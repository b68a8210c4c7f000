package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// maxResponse is the largest response body that is read, in bytes.
const maxResponse = 1 << 20

// silence is how long an attempt waits for a response before its connection, if
// that was used before, is taken to be dead. A shorter timeout is as long as that.
const silence = 500 * time.Millisecond

// maxConns is how many new connections an attempt may go through. net/http waits 1,
// 2 and 4 s between its own replays over HTTP/2, so a fourth connection would leave
// an attempt little time; healthy servers need three at most.
const maxConns = 3

var (
	errReplayed       = errors.New("the server closed three connections without responding")
	errOversize       = errors.New("the response is longer than 1 MiB")
	errAttemptTimeout = fmt.Errorf("attempt timed out: %w", context.DeadlineExceeded)
	errCallTimeout    = fmt.Errorf("call timed out: %w", context.DeadlineExceeded)
)

// An attempt is the http.RoundTripper that sends a request once. It has no method
// CloseIdleConnections: go-retryablehttp calls that after every failure, which
// would cost every other user of the transport its connections.
type attempt struct {
	transport *transport
	header    http.Header // of every request
	timeout   time.Duration
}

func newAttempt(t *transport, s *settings) *attempt {
	return &attempt{
		transport: t,
		header: http.Header{
			"Accept":          {"application/json"},
			"Accept-Encoding": {"identity"}, // else net/http decompresses, and maxResponse bounds no more what is read
			"User-Agent":      {s.userAgent},
		},
		timeout: s.retry.AttemptTimeout,
	}
}

// RoundTrip makes one attempt within its timeout. What it came to is in the
// call. The response is never nil and has no status, so that neither http.Client
// nor go-retryablehttp acts on one.
func (a *attempt) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	call := callFrom(req.Context())
	call.unsent = false
	call.last = Attempt{Operation: call.operation, Number: call.last.Number + 1}
	deadline, cause := start.Add(a.timeout), errAttemptTimeout
	if call.deadline.Before(deadline) {
		deadline, cause = call.deadline, errCallTimeout
	}
	ctx, cancel := context.WithDeadlineCause(req.Context(), deadline, cause)
	defer cancel()
	ctx, guard := guardReplays(ctx, cancel)

	transport := a.transport.current()
	resp, body, err := a.send(transport, req.WithContext(ctx), call)
	switch {
	case err == nil:
	case guard.exceeded.Load():
		err = errReplayed
	default: // some transports and dialers hide what ended the context
		err = join(ctx.Err(), join(context.Cause(ctx), err))
	}
	last := &call.last
	last.StatusCode, last.Duration = resp.StatusCode, time.Since(start)
	if last.StatusCode == 0 && guard.reused.Load() && last.Duration >= min(a.timeout, silence) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.transport.giveUp(transport)
	}
	call.class = classify(last.StatusCode, guard.connected.Load(), err)
	call.result, last.Err = call.read(resp, body, err)
	if e, ok := last.Err.(*ErrorResponse); ok || errors.Is(last.Err, ErrMalformedResponse) {
		call.response = e
	}
	return &http.Response{Header: resp.Header, Body: http.NoBody, Request: req}, nil
}

// send sends the request, which is this attempt's own, and reads the response. The
// response is never nil; its status is 0 if there was none.
func (a *attempt) send(transport http.RoundTripper, req *http.Request, call *call) (*http.Response, []byte, error) {
	// http.Client copies the headers that it is given. It never holds the key,
	// because the headers are added here.
	header := make(http.Header, 8)
	maps.Copy(header, req.Header)
	maps.Copy(header, a.header)
	header["Authorization"] = []string{call.authorization}
	req.Header = header
	if call.last.Number > 1 && req.GetBody != nil {
		req.Body, _ = req.GetBody() // of a bytes.Reader, which can't fail
	}
	if ctx := req.Context(); ctx.Err() != nil {
		return new(http.Response), nil, ctx.Err() // an observer or the key source has used up the time
	}
	resp, err := transport.RoundTrip(req)
	if err == nil && (resp == nil || resp.StatusCode == 0) { // as transports made for tests may do
		err = errors.New("the transport returned neither a response nor an error")
	}
	if err != nil {
		return new(http.Response), nil, err
	}
	body, err := readBody(resp)
	return resp, body, err
}

// readBody reads at most 1 MiB.
func readBody(resp *http.Response) ([]byte, error) {
	if resp.Body == nil { // as transports made for tests may leave it
		return nil, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		return nil, nil // after 101 the body is the connection, which no context ends
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if len(body) > maxResponse {
		return body[:maxResponse], errOversize
	}
	return body, err
}

// read returns the result or the error that a response means. err is why there is
// no response, or what ended its body early.
func (c *call) read(resp *http.Response, body []byte, err error) (result any, _ error) {
	switch {
	case resp.StatusCode == 0:
		return nil, c.hide(err)
	case resp.StatusCode/100 != 2:
		return nil, newErrorResponse(c, resp, body)
	case resp.StatusCode != http.StatusOK:
		err = fmt.Errorf("the status is %d, not 200", resp.StatusCode)
	case err == nil:
		result, err = c.decode(resp.Header, body)
	case !errors.Is(err, errOversize):
		return nil, c.hide(err)
	}
	if err != nil {
		return nil, malformed(err)
	}
	return result, nil
}

// A replayGuard bounds how often net/http sends one attempt's request. It
// resends a request on its own when it considers that safe, and to an HTTP/2
// server that answers every connection with GOAWAY, endlessly (golang/go#52459).
// Each attempt has its own guard, because net/http may call its trace after the
// attempt has ended.
type replayGuard struct {
	trace     httptrace.ClientTrace
	conns     atomic.Int32
	exceeded  atomic.Bool
	connected atomic.Bool // the attempt got a connection, so something may have been sent
	reused    atomic.Bool // one that had been used before
}

// guardReplays returns a context in which an attempt is canceled when it asks
// for one connection too many. An idle connection isn't counted: a transport may
// have many that died meanwhile, and net/http tries them one by one.
func guardReplays(ctx context.Context, cancel context.CancelFunc) (context.Context, *replayGuard) {
	g := new(replayGuard)
	g.trace = httptrace.ClientTrace{
		// GotConn would be too late: net/http is writing the request by then.
		GetConn: func(string) {
			if g.conns.Load() >= maxConns {
				g.exceeded.Store(true)
				cancel()
			}
		},
		GotConn: func(info httptrace.GotConnInfo) {
			g.connected.Store(true)
			g.reused.Store(info.Reused)
			if !info.Reused || !info.WasIdle {
				g.conns.Add(1)
			}
		},
	}
	return httptrace.WithClientTrace(ctx, &g.trace), g
}
