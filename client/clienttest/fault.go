package clienttest

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// A Fault is something that goes wrong with one request. The functions of this
// package make faults; the zero Fault is a mistake.
type Fault struct {
	// effect returns an answer of the fault's own, or the error with which the
	// connection ends, or neither: then the request is answered as usual.
	effect func(context.Context) (*answer, error)
	// late faults take effect after the API has acted.
	late bool
}

func (f Fault) strike(ctx context.Context) (*answer, error) {
	if f.effect == nil {
		return mistake("a zero Fault was queued"), nil
	}
	return f.effect(ctx)
}

// Queue makes the next requests meet the faults, one each and in order, whatever
// their operation is. Faults that no request has met stay in the queue.
func (a *API) Queue(faults ...Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, faults...)
}

// Status answers with a status from 200 to 599 and a body of the contract's error
// shape.
func Status(status int) Fault {
	return Answer(status, nil, string(errorAnswer(status, http.StatusText(status)).body))
}

// StatusRetryAfter is Status with a Retry-After header: after in seconds,
// rounded up.
func StatusRetryAfter(status int, after time.Duration) Fault {
	seconds := int64(max(0, after) / time.Second)
	if after > time.Duration(seconds)*time.Second {
		seconds++
	}
	return Answer(status, http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}},
		string(errorAnswer(status, http.StatusText(status)).body))
}

// Answer answers with any status from 200 to 599, any header and any body. If
// header has no Content-Type, it is application/json; if it has one without a
// value ("Content-Type": nil), none is sent.
func Answer(status int, header http.Header, body string) Fault {
	return Fault{effect: func(context.Context) (*answer, error) {
		if status < 200 || status > 599 {
			return mistake("a fault has status " + strconv.Itoa(status)), nil
		}
		a := answer{status, header.Clone(), []byte(body)}
		if a.header == nil {
			a.header = http.Header{}
		}
		if status == http.StatusNoContent || status == http.StatusNotModified {
			a.body = nil // as on a socket
		}
		if _, ok := a.header["Content-Type"]; !ok {
			a.header.Set("Content-Type", "application/json")
		}
		return &a, nil
	}}
}

// Cut ends the connection before the API acts.
func Cut() Fault {
	return Fault{effect: reset}
}

// CutAnswer lets the API act, and ends the connection before the client has the
// answer: after it, a generated link token exists that nobody knows.
func CutAnswer() Fault {
	return Fault{effect: reset, late: true}
}

func reset(context.Context) (*answer, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// Silence says nothing until the request's context ends; on a socket, until the
// client has closed the connection.
func Silence() Fault {
	return Fault{effect: func(ctx context.Context) (*answer, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
}

// Delay answers as usual after d, unless the request's context ends before.
func Delay(d time.Duration) Fault {
	return Fault{effect: func(ctx context.Context) (*answer, error) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			return nil, nil
		}
	}}
}

// mistake tells a test what it did wrong. The status is one that package client
// doesn't retry.
func mistake(what string) *answer {
	a := errorAnswer(http.StatusNotImplemented, "clienttest: "+what)
	return &a
}
