package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oneloop-ai/oneloop-go/gen"
	"github.com/oneloop-ai/oneloop-go/internal/transport"
)

// With [errors.Is], an [*ErrorResponse] matches the error for its status, if there is
// one. The contract defines 400, 401 and 403; 429 and 5xx have their usual HTTP meaning.
var (
	ErrBadRequest   = errors.New("oneloop: bad request")  // 400
	ErrUnauthorized = errors.New("oneloop: unauthorized") // 401: the SDK key is wrong
	ErrForbidden    = errors.New("oneloop: forbidden")    // 403: the SDK key lacks permission
	ErrRateLimited  = errors.New("oneloop: rate limited") // 429: try again later
	ErrServer       = errors.New("oneloop: server error") // 500 to 599
)

var (
	// ErrInvalidArgument means that an argument or option was rejected before
	// anything was sent, because of a bug in the program. The error text names it,
	// but never shows its value.
	ErrInvalidArgument = errors.New("oneloop: invalid argument")

	// ErrInvalidLinkToken means that the argument of [Client.ValidateLinkToken] can't
	// be a link token, so nothing was sent. It does not match [ErrInvalidArgument],
	// because link tokens usually come from outside the program.
	ErrInvalidLinkToken = errors.New("oneloop: invalid link token")

	// ErrMalformedResponse means that a 2xx response does not conform to the
	// contract: its status is not 200, its body is not JSON, has a content encoding
	// or is longer than 1 MiB, or a field is missing, null, duplicated, of the wrong
	// type or out of bounds. The error text says which. Such a call is not retried.
	// The error says nothing about whether a link token is valid.
	ErrMalformedResponse = errors.New("oneloop: malformed response")
)

func invalid(where, problem string) error {
	return &failure{text: "oneloop: " + where + ": " + problem, cause: ErrInvalidArgument}
}

func malformed(err error) error {
	return &failure{text: "malformed response: " + err.Error(), cause: ErrMalformedResponse}
}

// An ErrorResponse is a response with a status outside 2xx, regardless of its body.
// It may be a redirect, because redirects are not followed. Use [errors.As] to get
// it, or [errors.Is] to compare it with [ErrBadRequest] and the other errors for a
// status.
//
// If the server echoes the SDK key or the link token, Message has "[redacted]" in
// its place. Header and Body are as received, so don't log them. They are omitted
// when an ErrorResponse is printed or encoded as JSON.
type ErrorResponse struct {
	// Operation is "generateLinkToken" or "validateLinkToken".
	Operation string
	// StatusCode is the HTTP status of the response.
	StatusCode int
	// Code is error.code from the body, or 0 if the body has none that is a finite
	// number. The contract only says that it is greater than 0.
	Code float64
	// Message is error.message from the body, cut to at most 1 KiB. If the body has
	// none, it is the text of the status, such as "Bad Gateway".
	Message string
	// RetryAfter is the wait that the Retry-After header asks for, counted from the
	// time it was received. It is 0 if there is no such header or its date has
	// passed. If the wait is too long for a Duration, it is the largest Duration.
	RetryAfter time.Duration
	// Attempts is the number of attempts, including the first.
	Attempts int
	// Header is the response header. It may be nil.
	Header http.Header `json:"-"`
	// Body holds at most the first 64 KiB of the response body.
	Body []byte `json:"-"`

	overBudget bool // whether only the retry budget prevented another attempt
}

// newErrorResponse never fails: a field that can't be read from the body stays
// zero.
func newErrorResponse(operation string, attempts int, s secrets, result transport.Result, retryAfter time.Duration) *ErrorResponse {
	var wire gen.ErrorResponse
	_ = json.Unmarshal(result.Body, &wire)
	e := &ErrorResponse{
		Operation:  operation,
		StatusCode: result.Status,
		Message:    cmp.Or(limit(s.redact(wire.Error.Message)), http.StatusText(result.Status)),
		RetryAfter: max(0, retryAfter),
		Attempts:   attempts,
		Header:     result.Header,
		Body:       append([]byte(nil), result.Body[:min(len(result.Body), 64<<10)]...), // without the rest of the array
	}
	if math.Abs(wire.Error.Code) < math.MaxFloat64 { // since Go 1.27, 1e400 decodes to this or to +Inf
		e.Code = wire.Error.Code
	}
	return e
}

// Error returns a single line with the operation, the status and the server's
// message. It adds the server's code if that differs from the status, the number of
// attempts if there was more than one, and whether the retry budget prevented a
// retry:
//
//	oneloop: generateLinkToken: 401 Unauthorized: invalid SDK key
//	oneloop: generateLinkToken: 503 Service Unavailable: overloaded (code 12) after 3 attempts
func (e *ErrorResponse) Error() string {
	prefix := "oneloop: "
	if e.Operation != "" { // empty if a test constructed e
		prefix += e.Operation + ": "
	}
	return prefix + e.summary() + history(e.Attempts, e.overBudget)
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

// history returns the part of an error text about the attempts of a call.
func history(attempts int, overBudget bool) (text string) {
	if attempts > 1 {
		text = fmt.Sprintf(" after %d attempts", attempts)
	}
	if overBudget {
		text += " (not retried: retry budget exhausted)"
	}
	return text
}

// Is reports whether target is the error for the status, such as [ErrUnauthorized]
// for 401.
func (e *ErrorResponse) Is(target error) bool {
	return target == sentinels[e.StatusCode] || target == ErrServer && e.StatusCode/100 == 5
}

var sentinels = map[int]error{
	http.StatusBadRequest:      ErrBadRequest,
	http.StatusUnauthorized:    ErrUnauthorized,
	http.StatusForbidden:       ErrForbidden,
	http.StatusTooManyRequests: ErrRateLimited,
}

// Format implements [fmt.Formatter]. It prints the text that Error returns, and never
// Header or Body.
func (e ErrorResponse) Format(f fmt.State, verb rune) {
	formatText(f, verb, e.Error())
}
