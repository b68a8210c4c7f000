package linkauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

var (
	// ErrNoToken is the [Failure].Err for a request without a link token.
	ErrNoToken = errors.New("linkauth: no link token")
	// ErrNotValid is the [Failure].Err for a request with a link token that Oneloop
	// reports as not valid, because it has expired or was revoked.
	ErrNotValid = errors.New("linkauth: link token not valid")
)

// statusClientClosedRequest is the status that nginx logs if the client closed the
// connection. Without a status, access logs would show net/http's default, 200.
const statusClientClosedRequest = 499

// A Failure says why a request was not admitted and how to respond.
type Failure struct {
	// Status is 401, 499, 500 or 503. [http.StatusText] has no text for 499, which no
	// caller receives.
	Status int
	// RetryAfter is how long the caller should wait before it tries again, in whole
	// seconds from 1 to 60. It is 0 unless Status is 503.
	RetryAfter time.Duration
	// Err is the cause, never nil: ErrNoToken, ErrNotValid, or the error of the
	// Validator. Log it, but do not send it to the caller, because it may quote
	// Oneloop's response.
	Err error
}

// FailureOf says how to respond to a request for which a method of [client.Client]
// returned err. A nil err stands for a validation that is not Valid. ctx is the context
// of the request. Use FailureOf where [Middleware] does not apply, as in a handler that
// generates link tokens. The first of these rules that applies determines the Status:
//
//   - 401, the link token is not valid: err is nil, or matches [ErrNotValid],
//     [ErrNoToken] or [client.ErrInvalidLinkToken], or matches [client.ErrBadRequest]
//     and was returned by ValidateLinkToken.
//   - 500, the program has a bug: err matches [client.ErrInvalidArgument], or matches
//     [client.ErrBadRequest] and was returned by another method.
//   - 499, the caller has disconnected: ctx is canceled.
//   - 503, try again later: any other err.
//
// The Operation of a [*client.ErrorResponse] says which method returned it. If it is
// empty, as in an error that a test constructed, ValidateLinkToken is assumed.
func FailureOf(ctx context.Context, err error) Failure {
	if err == nil {
		err = ErrNotValid
	}
	response := new(client.ErrorResponse)
	errors.As(err, &response)
	isBadRequest := errors.Is(err, client.ErrBadRequest)
	isValidation := cmp.Or(response.Operation, "validateLinkToken") == "validateLinkToken"
	switch {
	case errors.Is(err, ErrNotValid), errors.Is(err, ErrNoToken), errors.Is(err, client.ErrInvalidLinkToken),
		isBadRequest && isValidation:
		return Failure{http.StatusUnauthorized, 0, err}
	case errors.Is(err, client.ErrInvalidArgument), isBadRequest:
		return Failure{http.StatusInternalServerError, 0, err}
	case errors.Is(ctx.Err(), context.Canceled):
		return Failure{statusClientClosedRequest, 0, err}
	}
	wait := cmp.Or(max(0, response.RetryAfter), 5*time.Second)
	roundedUp := (min(wait, time.Minute) + time.Second - 1).Truncate(time.Second)
	return Failure{http.StatusServiceUnavailable, roundedUp, err}
}

// Write writes the default response for f: the headers of [Failure.SetHeaders], and
// the text of the status as the body.
func (f Failure) Write(w http.ResponseWriter) {
	f.SetHeaders(w.Header())
	http.Error(w, http.StatusText(f.Status), f.Status)
}

// SetHeaders sets the headers that belong to f, for a response in another format than
// that of [Failure.Write]: Cache-Control, with status 401 WWW-Authenticate, and with
// status 503 Retry-After. Call it before you write the status.
func (f Failure) SetHeaders(h http.Header) {
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
