package linkauth

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

var (
	// ErrNoToken is the Failure.Err for a request without a link token.
	ErrNoToken = errors.New("linkauth: no link token")
	// ErrNotValid is the Failure.Err for a request with a link token that Oneloop
	// reports as not valid, because it has expired or was revoked.
	ErrNotValid = errors.New("linkauth: link token not valid")
)

// statusClientClosedRequest is the status that nginx logs if the client closed the
// connection. Without a status, access logs would show net/http's default, 200.
const statusClientClosedRequest = 499

// A Failure says why a request was not admitted and how to respond.
type Failure struct {
	// Status is 401, 499 or 503.
	Status int
	// RetryAfter is how long the caller should wait before it tries again, in whole
	// seconds from 1 to 60. It is 0 unless Status is 503.
	RetryAfter time.Duration
	// Err is ErrNoToken, ErrNotValid, or the error of the Validator. Log it, but do
	// not send it to the caller, because it may quote Oneloop's response.
	Err error
}

// FailureOf classifies an error that a method of client.Client returned. Use it where
// Middleware does not apply: in a handler that generates link tokens, with
// WebSockets, or with gRPC. ctx is the context of the incoming request.
//
// ErrInvalidArgument and ErrBadRequest result in a 401. In a handler that generates
// link tokens, they mean a bug in the backend: change the Status to 500.
func FailureOf(ctx context.Context, err error) Failure {
	var resp *client.ErrorResponse
	switch {
	case errors.Is(err, ErrNoToken), errors.Is(err, ErrNotValid),
		errors.Is(err, client.ErrInvalidArgument), errors.Is(err, client.ErrInvalidLinkToken), errors.Is(err, client.ErrBadRequest):
		return Failure{http.StatusUnauthorized, 0, err}
	case errors.Is(ctx.Err(), context.Canceled):
		return Failure{statusClientClosedRequest, 0, err}
	case errors.As(err, &resp) && resp != nil && resp.RetryAfter > 0:
		roundedUp := (min(resp.RetryAfter, time.Minute) + time.Second - 1).Truncate(time.Second)
		return Failure{http.StatusServiceUnavailable, roundedUp, err}
	default:
		return Failure{http.StatusServiceUnavailable, 5 * time.Second, err}
	}
}

// Write writes the default response for f: the headers, and the text of the status
// as the body.
func (f Failure) Write(w http.ResponseWriter) {
	f.setHeaders(w.Header())
	http.Error(w, http.StatusText(f.Status), f.Status)
}

func (f Failure) setHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	if f.Status == http.StatusUnauthorized {
		challenge := `Bearer realm="link token"`
		if !errors.Is(f.Err, ErrNoToken) {
			challenge += `, error="invalid_token"`
		}
		h.Set("WWW-Authenticate", challenge)
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
}
