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

// maxResponse is the most that is read of a response body, in bytes.
const maxResponse = 1 << 20

// minSilence is how long an attempt on a reused connection must have waited before
// its timeout is blamed on the connection. A shorter attempt timeout takes its
// place.
const minSilence = 500 * time.Millisecond

// maxConns is how many connections one attempt may use, not counting idle ones.
// Healthy servers require at most four. Before its replays over HTTP/2, net/http
// waits 1, 2 and 4 s, so a fifth connection would leave an attempt no time.
const maxConns = 4

var (
	errReplayed       = errors.New("the server closed four connections without responding")
	errOversize       = errors.New("the response is longer than 1 MiB")
	errAttemptTimeout = fmt.Errorf("attempt timed out: %w", context.DeadlineExceeded)
	errCallTimeout    = fmt.Errorf("call timed out: %w", context.DeadlineExceeded)
)

// An attempt is an http.RoundTripper that sends a request once. It deliberately
// has no CloseIdleConnections method: go-retryablehttp would call it after every
// failure and close connections that other calls could reuse.
type attempt struct {
	transport *transport
	header    http.Header // sent with every request
	timeout   time.Duration
}

func newAttempt(t *transport, s *settings) *attempt {
	return &attempt{
		transport: t,
		header: http.Header{
			"Accept":          {"application/json"},
			"Accept-Encoding": {"identity"}, // otherwise net/http decompresses, and maxResponse doesn't limit what it reads
			"User-Agent":      {s.userAgent},
		},
		timeout: s.retry.AttemptTimeout,
	}
}

// RoundTrip makes one attempt, limited by the attempt timeout, and stores the
// outcome in the call. It always returns a response without a status, so neither
// http.Client nor go-retryablehttp acts on the status.
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
	default: // some transports and dialers hide the context's error
		err = join(ctx.Err(), join(context.Cause(ctx), err))
	}
	last := &call.last
	last.StatusCode, last.Duration = resp.StatusCode, time.Since(start)
	if last.StatusCode == 0 && guard.reused.Load() && last.Duration >= min(a.timeout, minSilence) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.transport.replace(transport, a.timeout)
	}
	call.class = classify(last.StatusCode, guard.connected.Load(), err)
	call.result, last.Err = call.read(resp, body, err)
	if e, ok := last.Err.(*ErrorResponse); ok || errors.Is(last.Err, ErrMalformedResponse) {
		call.response = e
	}
	return &http.Response{Header: resp.Header, Body: http.NoBody, Request: req}, nil
}

// send adds the headers and the body to req, sends it and reads the response. If
// there is no response, it returns one with status 0.
func (a *attempt) send(transport http.RoundTripper, req *http.Request, call *call) (*http.Response, []byte, error) {
	// The headers are added here, after http.Client has made its copy of the
	// request, so http.Client never holds the SDK key.
	header := make(http.Header, 8)
	maps.Copy(header, req.Header)
	maps.Copy(header, a.header)
	header["Authorization"] = []string{call.authorization}
	req.Header = header
	if call.last.Number > 1 && req.GetBody != nil {
		req.Body, _ = req.GetBody() // can't fail: the body is a bytes.Reader
	}
	if ctx := req.Context(); ctx.Err() != nil {
		return new(http.Response), nil, ctx.Err() // an observer or the key source used up the time
	}
	resp, err := transport.RoundTrip(req)
	if err == nil && (resp == nil || resp.StatusCode == 0) { // seen with test transports
		err = errors.New("the transport returned neither a response nor an error")
	}
	if err != nil {
		return new(http.Response), nil, err
	}
	body, err := readBody(resp)
	return resp, body, err
}

// readBody reads at most maxResponse bytes of the body and closes it.
func readBody(resp *http.Response) ([]byte, error) {
	if resp.Body == nil { // seen with test transports
		return nil, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		return nil, nil // after a 101, the body is the connection, and reading it ignores the context
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if len(body) > maxResponse {
		return body[:maxResponse], errOversize
	}
	return body, err
}

// read converts a response to the call's result or error. If there is no response,
// or its body is incomplete, err says why.
func (c *call) read(resp *http.Response, body []byte, err error) (result any, _ error) {
	switch {
	case resp.StatusCode == 0:
		return nil, c.sanitize(err)
	case resp.StatusCode/100 != 2:
		return nil, newErrorResponse(c, resp, body)
	case resp.StatusCode != http.StatusOK:
		err = fmt.Errorf("the status is %d, not 200", resp.StatusCode)
	case err == nil:
		result, err = c.decode(resp.Header, body)
	case !errors.Is(err, errOversize):
		return nil, c.sanitize(err)
	}
	if err != nil {
		return nil, malformed(err)
	}
	return result, nil
}

// A replayGuard limits how often net/http sends the request of one attempt.
// net/http resends a request when it considers that safe. If an HTTP/2 server
// sends GOAWAY on every connection, it never stops (golang/go#52459). Each attempt
// has its own guard, because net/http may call the trace after the attempt ended.
type replayGuard struct {
	trace     httptrace.ClientTrace
	conns     atomic.Int32
	exceeded  atomic.Bool
	connected atomic.Bool // there was a connection, so the request may have been sent
	reused    atomic.Bool // the last connection had been used before
}

// guardReplays returns a context for an attempt, and its guard. The guard calls
// cancel when the attempt asks for another connection after using maxConns. Idle
// connections don't count: a transport may have many dead ones, and net/http tries
// them one by one.
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
