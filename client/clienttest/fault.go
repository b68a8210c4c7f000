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
// package make faults; the zero Fault is misuse.
type Fault struct {
	// effect returns the fault's own response, or the error with which the
	// connection ends, or neither: then the API responds as usual.
	effect    func(context.Context) (*response, error)
	late      bool   // the API acts before effect
	operation string // "" for any
	always    bool
}

func (f Fault) strike(ctx context.Context) (*response, error) {
	if f.effect == nil {
		resp := misuseResponse("a zero Fault was queued")
		return &resp, nil
	}
	return f.effect(ctx)
}

// On returns a copy of f that waits for a request of operation, such as
// "validateLinkToken". If the contract has no such operation, the next request
// gets a 501 that says so.
func (f Fault) On(operation string) Fault {
	if operation != generateLinkToken && operation != validateLinkToken {
		unknown := misused("Fault.On: there is no operation " + strconv.Quote(operation))
		unknown.always = f.always
		return unknown
	}
	f.operation = operation
	return f
}

// Always returns a copy of f that stays until [API.ClearFaults] and strikes every
// request that fits it, instead of one.
func (f Fault) Always() Fault {
	f.always = true
	return f
}

// Queue appends faults to the queue. The first fault in the queue that fits a
// request strikes it and leaves the queue, unless it is made with Always. A fault
// fits any request, even one that is no operation, unless it is made with On.
// Faults that no request has met stay in the queue.
func (a *API) Queue(faults ...Fault) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, faults...)
}

// ClearFaults empties the queue. Requests that a fault already holds up stay held
// up.
func (a *API) ClearFaults() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = nil
}

// Status responds with a status from 200 to 599 and a body of the contract's
// error shape.
func Status(status int) Fault {
	return Answer(status, nil, string(errorResponse(status, http.StatusText(status)).body))
}

// StatusRetryAfter is Status with a Retry-After header: after in seconds,
// rounded up. A negative after is 0.
func StatusRetryAfter(status int, after time.Duration) Fault {
	seconds := int64(max(0, after) / time.Second)
	if after > time.Duration(seconds)*time.Second {
		seconds++
	}
	return Answer(status, http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}},
		string(errorResponse(status, http.StatusText(status)).body))
}

// Answer responds with any status from 200 to 599, any header and any body. If
// header has no Content-Type, it is application/json; if it has one without a
// value ("Content-Type": nil), none is sent. Content-Length and Transfer-Encoding
// in header are ignored. Answer copies header.
func Answer(status int, header http.Header, body string) Fault {
	if status < 200 || status > 599 {
		return misused("a fault has status " + strconv.Itoa(status))
	}
	resp := newResponse(status, header, []byte(body))
	return Fault{effect: func(context.Context) (*response, error) { return &resp, nil }}
}

// misused is a fault that tells a test what it did wrong.
func misused(what string) Fault {
	resp := misuseResponse(what)
	return Fault{effect: func(context.Context) (*response, error) { return &resp, nil }}
}

// Cut ends the connection before the API acts. The client sees no status.
func Cut() Fault {
	return Fault{effect: reset}
}

// CutAnswer lets the API act, and ends the connection before the client has the
// response: after it, a generated link token exists that nobody knows.
func CutAnswer() Fault {
	return Fault{effect: reset, late: true}
}

func reset(context.Context) (*response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
}

// Silence sends nothing until the request's context ends; on a socket, until the
// client has closed the connection.
func Silence() Fault {
	return Fault{effect: func(ctx context.Context) (*response, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
}

// Delay responds as usual after d, unless the request's context ends before.
func Delay(d time.Duration) Fault {
	return Fault{effect: func(ctx context.Context) (*response, error) {
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
