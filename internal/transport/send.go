package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"time"
)

// maxBody limits how much of a response body is read, in bytes.
const maxBody = 1 << 20

// A Fate says what happened to a request that got no response.
type Fate int

// What happened to a request that got no response.
const (
	Unknown  Fate = iota // the server may have processed it
	NotSent              // it was not sent
	Hopeless             // retrying cannot help
)

// ErrTooLarge means that a response body is longer than 1 MiB.
var ErrTooLarge = errors.New("the response is longer than 1 MiB")

var (
	errTimeout  = fmt.Errorf("attempt timed out: %w", context.DeadlineExceeded)
	errDeadline = fmt.Errorf("call timed out: %w", context.DeadlineExceeded)
	errGaveUp   = errors.New("gave up after four connections")
)

// A Result is the outcome of sending a request.
type Result struct {
	Status   int // 0 if there was no response
	Header   http.Header
	Body     []byte // incomplete unless Err is nil
	Duration time.Duration
	Err      error // why there is no response, or why Body is incomplete
	Fate     Fate  // what happened to the request, if there was no response
}

// Send sends req with header in place of its own. The context of the request ends at
// the deadline at the latest. If the context of req has ended, the error matches the
// context's error, but not its cause, which may be any error of the program. The error
// never matches a *url.Error, because that holds the URL.
func (t *Transport) Send(req *http.Request, header http.Header, deadline time.Time) (result Result) {
	start := time.Now()
	end, cause := start.Add(t.timeout), errTimeout
	if !end.Before(deadline) {
		end, cause = deadline, errDeadline
	}
	ctx, cancel := context.WithDeadlineCause(req.Context(), end, cause)
	defer cancel()
	roundTripper := t.current(start)
	own, _ := roundTripper.(*ownTransport)
	tracker := newTracker(own, cancel)

	req = req.WithContext(httptrace.WithClientTrace(ctx, &tracker.trace))
	req.Header = header
	var resp *http.Response
	err := ctx.Err() // not every http.RoundTripper checks it
	if err == nil {
		resp, err = roundTripper.RoundTrip(req)
	}
	switch {
	case err == nil && (resp == nil || resp.StatusCode == 0): // seen with transports made for tests
		err = errors.New("the transport returned neither a response nor an error")
	case err == nil:
		result.Status, result.Header = resp.StatusCode, resp.Header
		result.Body, err = readBody(resp)
	}
	result.Duration = time.Since(start)
	tracker.mu.Lock()
	connections := tracker.connections
	tracker.mu.Unlock()
	if err != nil {
		result.Err = explain(ctx, connections, err)
		result.Fate = fateOf(result.Err, connections)
	}
	if own != nil {
		own.record(start, result.Status != 0, result.Status == 0 && connections.doubtful(ctx, result.Err, result.Duration >= min(minSilence, t.timeout)))
	}
	return result
}

// readBody reads at most maxBody bytes of the body and closes it.
func readBody(resp *http.Response) ([]byte, error) {
	if resp.Body == nil { // seen with transports made for tests
		return nil, nil
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		return nil, nil // after a 101, the body is the connection, and reading it ignores the context
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if len(body) > maxBody {
		return body[:maxBody], ErrTooLarge
	}
	return body, err
}

func fateOf(err error, c connections) Fate {
	var dns *net.DNSError
	switch text := ": " + err.Error(); {
	case errors.As(err, &dns): // before the text, because a host may be named "tls"
		if dns.IsNotFound {
			return Hopeless
		}
	case strings.Contains(text, ": tls: "), strings.Contains(text, ": x509: "), errors.Is(err, errProxyRefused):
		return Hopeless // crypto/tls does not export types for all of its errors, so match on text
	}
	if c.none {
		return NotSent
	}
	return Unknown
}

// explain returns the error to report for err, with which a request ended.
func explain(ctx context.Context, c connections, err error) error {
	var withURL *url.Error
	for errors.As(err, &withURL) && withURL.Err != nil {
		err = withURL.Err
	}
	cause := context.Cause(ctx)
	reason := cause
	if c.none && (cause == errTimeout || cause == errDeadline) {
		reason = fmt.Errorf("could not connect: %w", cause)
	}
	switch {
	case c.gaveUp:
		return errGaveUp
	case cause == nil:
		return err
	case cause != errTimeout && cause != errDeadline && cause != ctx.Err():
		return ctx.Err() // the cause is the program's, and err may be it
	case errors.Is(cause, err): // nothing but the context's error
		return reason
	case errors.Is(err, cause):
		return err
	}
	return fmt.Errorf("%w: %w", reason, err) // some transports and dialers hide the context's error
}
