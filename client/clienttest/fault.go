package clienttest

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// A Fault changes how an [API] responds, by default to one request. Create faults with
// the functions of this package, and pass them to [API.Queue].
type Fault struct {
	// effect returns the response, or an error if the connection must be cut. If it
	// returns neither, the API responds as usual.
	effect    func(context.Context) (*response, error)
	late      bool   // the API processes the request before effect
	operation string // "" for any
	always    bool
}

// On returns a copy of f that applies only to operation, which is
// "generateLinkToken" or "validateLinkToken". It panics if operation is anything else.
func (f Fault) On(operation string) Fault {
	if operation != generateLinkToken && operation != validateLinkToken {
		panic("clienttest: On: unknown operation " + strconv.Quote(operation))
	}
	f.operation = operation
	return f
}

// Always returns a copy of f that applies to every matching request, and not only to
// the first, until [API.ClearFaults] is called.
func (f Fault) Always() Fault {
	f.always = true
	return f
}

// Queue appends faults to the queue. For each request, the first matching fault in
// the queue applies. It is then removed, unless it was created with [Fault.Always]. A
// fault matches every request, even for an unknown path, unless it was created with
// [Fault.On]. Queue panics if a fault is the zero Fault.
func (a *API) Queue(faults ...Fault) {
	if slices.ContainsFunc(faults, func(f Fault) bool { return f.effect == nil }) {
		panic("clienttest: Queue: zero Fault")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, faults...)
}

// ClearFaults empties the queue. It does not affect requests that a fault is already
// delaying.
func (a *API) ClearFaults() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = nil
}

// Status responds with a status from 200 to 599, and with the API's error format as
// the body. It panics if status is out of range.
func Status(status int) Fault {
	return Response(status, nil, string(errorResponse(status, http.StatusText(status)).body))
}

// StatusRetryAfter is like [Status], but adds a Retry-After header with after in
// seconds, rounded up. If after is negative, the header is 0.
func StatusRetryAfter(status int, after time.Duration) Fault {
	seconds := int64(max(0, after) / time.Second)
	if after > time.Duration(seconds)*time.Second {
		seconds++
	}
	return Response(status, http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}},
		string(errorResponse(status, http.StatusText(status)).body))
}

// Response responds with a status from 200 to 599 and with the given header and body.
// The Content-Type is application/json unless header has one. If header has it
// without a value ("Content-Type": nil), none is sent. Content-Length and
// Transfer-Encoding in header are ignored. Response copies header. It panics if status
// is out of range.
func Response(status int, header http.Header, body string) Fault {
	if status < 200 || status > 599 {
		panic("clienttest: status " + strconv.Itoa(status) + " is not from 200 to 599")
	}
	resp := newResponse(status, header, []byte(body))
	return Fault{effect: func(context.Context) (*response, error) { return &resp, nil }}
}

// Cut closes the connection before the API processes the request. The client
// receives no status. On a socket, its error is one about a malformed status; see
// [API.ServeHTTP].
func Cut() Fault {
	return Fault{effect: reset}
}

// CutResponse lets the API process the request, and then closes the connection instead
// of responding. For generateLinkToken, this leaves a link token that no caller
// received.
func CutResponse() Fault {
	return Fault{effect: reset, late: true}
}

func reset(context.Context) (*response, error) {
	return nil, &net.OpError{Op: "read", Net: "tcp", Err: errConnReset}
}

// Silence sends nothing until the request's context ends. On a socket, this is when
// the client closes the connection.
func Silence() Fault {
	return Fault{effect: func(ctx context.Context) (*response, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
}

// Delay responds as usual after d, unless the request's context ends first. It panics
// if d is negative.
func Delay(d time.Duration) Fault {
	if d < 0 {
		panic("clienttest: Delay: negative duration " + d.String())
	}
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
