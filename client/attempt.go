package client

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// maxAnswer is how much of an answer is read, in bytes after decompression.
const maxAnswer = 1 << 20

var (
	errOversize = errors.New("the answer is longer than 1 MiB")
	errReplayed = errors.New("the server gave up two connections without an answer")
)

// outcome is what one attempt saw.
type outcome struct {
	method   string
	status   int // 0: no response
	header   http.Header
	body     []byte
	err      error // why there is no whole response
	duration time.Duration

	retryAfter    time.Duration // of the Retry-After header, from when it was received
	hasRetryAfter bool
}

func (o *outcome) success() bool { return o.err == nil && o.status/100 == 2 }

// RoundTrip makes one attempt: it sends the request once, within the attempt's
// timeout, and reads the answer whole. It has no CloseIdleConnections method on
// purpose: go-retryablehttp calls that after every failure, which would cost
// every other user of the base transport its connections.
func (c *call) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	c.attempts++
	c.waiting = false
	deadline := start.Add(c.client.retry.AttemptTimeout)
	if !c.deadline.IsZero() && c.deadline.Before(deadline) {
		deadline = c.deadline
	}
	ctx, cancel := context.WithDeadline(req.Context(), deadline)
	defer cancel()
	ctx, conns := limitConns(ctx, cancel)
	out := req.WithContext(ctx)
	// Here and not in Do, so that http.Client, which copies the headers that it
	// is given, never holds the key.
	out.Header = make(http.Header, len(req.Header)+3)
	maps.Copy(out.Header, req.Header)
	out.Header["Authorization"] = []string{c.authorization}
	out.Header["User-Agent"] = []string{c.client.userAgent}
	out.Header["Accept"] = []string{"application/json"}
	if c.attempts > 1 && req.GetBody != nil {
		out.Body, _ = req.GetBody() // of a bytes.Reader: it can't fail
	}

	if p := c.client.pool; p != nil {
		p.attempts.Add(1)
		defer p.attempts.Add(-1)
	}
	resp, err := c.client.transport().RoundTrip(out)
	c.last = outcome{method: req.Method}
	if err == nil && (resp == nil || resp.StatusCode == 0) { // as transports made for tests may do
		err = errors.New("the transport returned neither a response nor an error")
	}
	if err == nil {
		c.last.status, c.last.header = resp.StatusCode, resp.Header
		c.last.retryAfter, c.last.hasRetryAfter = parseRetryAfter(resp.Header.Get("Retry-After"))
		c.last.body, err = readBody(resp)
	}
	if err != nil && conns.exceeded.Load() {
		err = errReplayed // not the cancellation that ended it
	} else if err != nil {
		err = matching(err, ctx.Err()) // some transports and dialers hide it
	}
	c.last.err = err
	c.last.duration = time.Since(start)
	if c.last.status != 0 && c.last.status/100 != 2 {
		answered := c.last
		c.answered = &answered
	}
	if err != nil {
		return nil, err
	}
	resp.Body = http.NoBody
	return resp, nil
}

func readBody(resp *http.Response) ([]byte, error) {
	if resp.Body == nil { // as transports made for tests may leave it
		return nil, nil
	}
	defer resp.Body.Close()
	if n := resp.ContentLength; n > 0 && n <= maxAnswer {
		body := make([]byte, n)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if len(body) > maxAnswer {
		return nil, errOversize
	}
	return body, err
}

type connCountKey struct{}

// connCount counts an attempt's connections. Each attempt has its own, because
// net/http may dial on, and ask its trace, after the attempt has ended.
type connCount struct {
	trace    httptrace.ClientTrace
	got      atomic.Int32
	exceeded atomic.Bool
}

// limitConns holds an attempt at two connections, and so at two requests on the
// wire, because net/http replays a request by itself where it takes that for
// safe: without an end against an HTTP/2 server that answers every connection
// with GOAWAY (golang/go#52459).
func limitConns(ctx context.Context, cancel context.CancelFunc) (context.Context, *connCount) {
	n := new(connCount)
	n.trace = httptrace.ClientTrace{
		// In GotConn it would be too late: the request is being written.
		GetConn: func(string) {
			if n.got.Load() >= 2 {
				n.exceeded.Store(true)
				cancel()
			}
		},
		GotConn: func(httptrace.GotConnInfo) { n.got.Add(1) },
	}
	return context.WithValue(httptrace.WithClientTrace(ctx, &n.trace), connCountKey{}, n), n
}
