package clienttest

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// A Fault is what happens to one request instead of, or before, its answer.
type Fault struct {
	// strike returns an answer of the fault's own, or how the connection ends,
	// or neither: then the request is answered as if there were no fault.
	effect func(context.Context) (*answer, error)
}

func (f Fault) strike(ctx context.Context) (*answer, error) {
	if f.effect == nil {
		return mistake("a zero Fault was queued")
	}
	return f.effect(ctx)
}

// Queue makes the next requests meet the faults, one each, in order, whatever
// the requests are.
func (a *API) Queue(faults ...Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, faults...)
}

// Status answers with an error of the contract's shape and this status, from
// 200 to 599.
func Status(status int) Fault {
	return Answer(status, nil, string(errorAnswer(status, http.StatusText(status)).body))
}

// StatusRetryAfter is Status with a Retry-After header in whole seconds, rounded up.
func StatusRetryAfter(status int, after time.Duration) Fault {
	seconds := int64((max(0, after) + time.Second - 1) / time.Second)
	return Answer(status, http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}},
		string(errorAnswer(status, http.StatusText(status)).body))
}

// Answer answers with any status from 200 to 599, header and body. Where
// header does not name a Content-Type, it is application/json; where it names
// one without a value ("Content-Type": nil), none is sent.
func Answer(status int, header http.Header, body string) Fault {
	return Fault{func(context.Context) (*answer, error) {
		if status < 200 || status > 599 {
			return mistake("a fault has status " + strconv.Itoa(status))
		}
		a := answer{status, header.Clone(), []byte(body)}
		if a.header == nil {
			a.header = http.Header{}
		}
		if _, ok := a.header["Content-Type"]; !ok {
			a.header.Set("Content-Type", "application/json")
		}
		return &a, nil
	}}
}

// Cut ends the connection without an answer, before the API has acted.
func Cut() Fault {
	return Fault{func(context.Context) (*answer, error) {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}}
}

// Silence says nothing until the request's context ends: on a socket, until
// the client is gone.
func Silence() Fault {
	return Fault{func(ctx context.Context) (*answer, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
}

// Delay answers as if there were no fault, but later.
func Delay(d time.Duration) Fault {
	return Fault{func(ctx context.Context) (*answer, error) {
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

// mistake tells a test what it did wrong by the answer that it gets: a panic
// in a server's goroutine would end the whole test program.
func mistake(what string) (*answer, error) {
	a := errorAnswer(http.StatusInternalServerError, "clienttest: "+what)
	return &a, nil
}
