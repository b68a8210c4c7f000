package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
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

	errAttemptTimeout = fmt.Errorf("the attempt timed out: %w", context.DeadlineExceeded)
	errCallTimeout    = fmt.Errorf("the call timed out: %w", context.DeadlineExceeded)
)

// outcome is what one attempt saw.
type outcome struct {
	status   int // 0: no response
	header   http.Header
	body     []byte
	err      error // why there is no whole response, or no good one
	duration time.Duration

	retryAfter    time.Duration // of the Retry-After header, from when it was received
	hasRetryAfter bool
}

func (o *outcome) success() bool { return o.err == nil && o.status/100 == 2 }

// answered reports whether there was an answer outside 2xx, whole or not.
func (o *outcome) answered() bool { return o.status != 0 && o.status/100 != 2 }

// RoundTrip makes one attempt: it sends the request once, within the attempt's
// timeout, reads the answer whole, and makes a result of a 2xx. There is no
// method CloseIdleConnections beside it on purpose: go-retryablehttp calls that
// after every failure, which would cost every other user of the base transport
// its connections.
func (c *call) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	c.attempts++
	c.waiting = false
	deadline, cause := start.Add(c.client.retry.AttemptTimeout), errAttemptTimeout
	if !c.deadline.IsZero() && c.deadline.Before(deadline) {
		deadline, cause = c.deadline, errCallTimeout
	}
	ctx, cancel := context.WithDeadlineCause(req.Context(), deadline, cause)
	defer cancel()
	ctx, conns := limitConns(ctx, cancel)
	pool := c.client.pool
	if pool != nil {
		pool.attempts.Add(1)
		defer pool.attempts.Add(-1)
	}

	var o outcome
	resp, err := c.send(req.WithContext(ctx))
	if err == nil {
		o.status, o.header = resp.StatusCode, resp.Header
		o.retryAfter, o.hasRetryAfter = parseRetryAfter(resp.Header.Get("Retry-After"))
		o.body, err = readBody(resp)
		if o.status/100 == 2 {
			err = c.parse2xx(&o, err)
		}
	}
	switch {
	case err == nil:
		resp.Body = http.NoBody
	case conns.exceeded.Load():
		resp, o.err = nil, errReplayed // not the cancellation that ended it
		if pool != nil {
			pool.transport.CloseIdleConnections() // they are likely to be dead as well
		}
	default:
		resp, o.err = nil, matching(err, ctx.Err()) // which some transports and diallers hide
	}
	o.duration = time.Since(start)
	c.last = o
	if o.answered() {
		answered := o // not &o, which would cost every attempt an allocation
		c.answered = &answered
	}
	return resp, o.err
}

// parse2xx makes the call's result of a 2xx that was read with err.
func (c *call) parse2xx(o *outcome, err error) error {
	switch {
	case err == nil:
		err = c.result.parse(o.header, o.body)
	case err != errOversize:
		return err
	}
	if err == nil {
		return nil
	}
	c.answered = nil // an answer before this one is not the last
	return &failure{text: "malformed response: " + err.Error(), cause: ErrMalformedResponse}
}

// send hands the request, which is this attempt's own, to the base transport.
func (c *call) send(req *http.Request) (*http.Response, error) {
	// The headers are added here and not in Do, so that http.Client, which copies
	// what it is given for redirects, never holds the key.
	header := make(http.Header, len(req.Header)+3)
	maps.Copy(header, req.Header)
	values := []string{c.authorization, c.client.userAgent, "application/json"} // one allocation, not three
	header["Authorization"], header["User-Agent"], header["Accept"] = values[:1:1], values[1:2:2], values[2:]
	req.Header = header
	if c.attempts > 1 && req.GetBody != nil {
		req.Body, _ = req.GetBody() // of a bytes.Reader: it can't fail
	}
	if ctx := req.Context(); ctx.Err() != nil {
		return nil, context.Cause(ctx) // an observer or the key source has used up the time
	}
	resp, err := c.client.transport().RoundTrip(req)
	if err == nil && (resp == nil || resp.StatusCode == 0) { // as transports made for tests may do
		err = errors.New("the transport returned neither a response nor an error")
	}
	return resp, err
}

// readBody reads the body whole, which is at most 1 MiB. It is io.ReadAll with a
// limit, and with a buffer that a body of known length fits into.
func readBody(resp *http.Response) ([]byte, error) {
	if resp.Body == nil { // as transports made for tests may leave it
		return nil, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		return nil, nil // after 101 the body is the connection, which no context ends
	}
	size := int64(512)
	if resp.ContentLength >= 0 {
		size = min(resp.ContentLength, maxAnswer) + 1 // one more, to read its end
	}
	body := make([]byte, 0, size)
	for len(body) <= maxAnswer {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := resp.Body.Read(body[len(body):min(cap(body), maxAnswer+1)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
	return body[:maxAnswer], errOversize
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
// wire. net/http resends a request by itself when it considers that safe; to an
// HTTP/2 server that answers every connection with GOAWAY, endlessly
// (golang/go#52459).
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
		GotConn: func(info httptrace.GotConnInfo) {
			// net/http may have taken an idle connection in spite of the cancellation.
			if n.got.Add(1) > 2 && !isHTTP2(info.Conn) {
				_ = info.Conn.Close()
			}
		},
	}
	return context.WithValue(httptrace.WithClientTrace(ctx, &n.trace), connCountKey{}, n), n
}

// isHTTP2 reports whether other requests may be under way on conn.
func isHTTP2(conn net.Conn) bool {
	t, ok := conn.(*tls.Conn)
	return ok && t.ConnectionState().NegotiatedProtocol == "h2"
}
