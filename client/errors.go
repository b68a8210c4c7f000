package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oneloop-ai/oneloop-go/gen"
)

// Sentinels that errors.Is matches against an *ErrorResponse, by its status.
var (
	ErrBadRequest   = errors.New("oneloop: bad request")  // 400
	ErrUnauthorized = errors.New("oneloop: unauthorized") // 401: the SDK key is wrong
	ErrForbidden    = errors.New("oneloop: forbidden")    // 403: the SDK key may not do this
	ErrRateLimited  = errors.New("oneloop: rate limited") // 429: try again later
	ErrServer       = errors.New("oneloop: server error") // 500 to 599: try again later
)

var (
	// ErrInvalidArgument matches errors about an argument or option that was
	// refused before anything was sent. Their text names it, never its value.
	ErrInvalidArgument = errors.New("oneloop: invalid argument")

	// ErrMalformedResponse matches errors about a 2xx response that breaks the
	// contract: its status is not 200, it is not JSON, is encoded, is longer than
	// 1 MiB, or has a field that is missing, null, duplicated, of the wrong type
	// or out of bounds. Their text says which. Such a call is not retried, and
	// says nothing about the link token.
	ErrMalformedResponse = errors.New("oneloop: malformed response")
)

// An ErrorResponse is a response outside 2xx, whatever its body. That includes
// redirects, because they are not followed. Get it with errors.As, or match it
// with errors.Is against the sentinels.
//
// If the server repeats the SDK key or the link token, Message has "[redacted]"
// in its place. Header and Body are as received: don't log them. Printing an
// ErrorResponse, or encoding it as JSON, shows neither.
type ErrorResponse struct {
	// Operation is the operationId of the contract.
	Operation string
	// StatusCode is the HTTP status of the last response.
	StatusCode int
	// Code is error.code of the body, which is a number in the contract; 0 if the
	// body has none.
	Code float64
	// Message is error.message of the body, at most 1 KiB of it; the text of the
	// status if the body has none.
	Message string
	// RetryAfter is how long to wait according to the Retry-After header, as of
	// the time when it was received. It is 0 if there is none or its date has
	// passed, and the largest Duration if it exceeds that.
	RetryAfter time.Duration
	// Attempts is how many times the call was tried, including the first.
	Attempts int
	// Header is the header of the response. It may be nil.
	Header http.Header `json:"-"`
	// Body is the first 64 KiB of the response's body.
	Body []byte `json:"-"`

	notRetried string // why there was no further attempt
}

// newErrorResponse keeps the status whatever the body is: what can't be read of
// it stays zero.
func newErrorResponse(c *call, resp *http.Response, body []byte) *ErrorResponse {
	var wire gen.ErrorResponse
	_ = json.Unmarshal(body, &wire)
	e := &ErrorResponse{
		Operation:  c.operation,
		StatusCode: resp.StatusCode,
		Code:       wire.Error.Code,
		Message:    cmp.Or(limit(c.redact(wire.Error.Message)), http.StatusText(resp.StatusCode)),
		Attempts:   c.last.Number,
		Header:     resp.Header,
		Body:       body[:min(len(body), 64<<10)],
	}
	e.RetryAfter, _ = parseRetryAfter(resp.Header.Get("Retry-After"))
	return e
}

// Error names the operation, the status, and the server's message if it sent one,
// on one line. It adds the server's code if that isn't the status, and the number
// of attempts if there was more than one:
//
//	oneloop: generateLinkToken: 401 Unauthorized: invalid SDK key
//	oneloop: generateLinkToken: 503 Service Unavailable: overloaded (code 12) after 3 attempts
func (e *ErrorResponse) Error() string {
	if e == nil {
		return "<nil>"
	}
	prefix := "oneloop: "
	if e.Operation != "" { // it is empty if a test made e by hand
		prefix += e.Operation + ": "
	}
	return prefix + e.summary() + history(e.Attempts, e.notRetried)
}

func (e *ErrorResponse) summary() string {
	statusText := http.StatusText(e.StatusCode)
	text := strings.TrimSpace(strconv.Itoa(e.StatusCode) + " " + statusText)
	if e.Message != "" && e.Message != statusText {
		text += ": " + limit(oneLine(e.Message))
	}
	if e.Code != 0 && e.Code != float64(e.StatusCode) {
		text += " (code " + strconv.FormatFloat(e.Code, 'f', -1, 64) + ")"
	}
	return text
}

// Is reports whether target is the sentinel for the status.
func (e *ErrorResponse) Is(target error) bool {
	if e == nil || target == nil {
		return false
	}
	return target == sentinels[e.StatusCode] || target == ErrServer && e.StatusCode/100 == 5
}

var sentinels = map[int]error{
	http.StatusBadRequest:      ErrBadRequest,
	http.StatusUnauthorized:    ErrUnauthorized,
	http.StatusForbidden:       ErrForbidden,
	http.StatusTooManyRequests: ErrRateLimited,
}

// Format prints what Error returns for every verb, never Header and Body.
func (e ErrorResponse) Format(f fmt.State, verb rune) {
	formatText(f, verb, e.Error())
}
