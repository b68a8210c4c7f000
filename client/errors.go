package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

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

	// ErrMalformedResponse matches errors about a 2xx answer that breaks the
	// contract: it is not JSON, is longer than 1 MiB, or has a required field
	// that is missing, null, of the wrong type or out of bounds. Their text says
	// which. Such a call is not retried, and says nothing about the link token.
	ErrMalformedResponse = errors.New("oneloop: malformed response")
)

const (
	maxErrorBody    = 64 << 10
	maxErrorMessage = 1 << 10
)

// An ErrorResponse is an answer outside 2xx, whatever its body. Redirects are
// among them, because they are not followed. Get it with errors.As, or match it
// with errors.Is against the sentinels.
//
// If the server repeats the SDK key or the link token, Message and Header have
// "[redacted]" in its place. Printing an ErrorResponse shows neither Header nor
// Body.
type ErrorResponse struct {
	// Operation is the operationId of the contract.
	Operation string
	// StatusCode is the HTTP status of the last answer.
	StatusCode int
	// Code is error.code of the body, which is a number in the contract; 0 if the
	// body has none.
	Code float64
	// Message is error.message of the body; the text of the status if the body
	// has none.
	Message string
	// RetryAfter is how long to wait according to the Retry-After header, as of
	// the time when it was received. It is 0 if there is none or its date has
	// passed, and the largest Duration if it exceeds that.
	RetryAfter time.Duration
	// Attempts is how often the call was tried, the first time included.
	Attempts int
	// Header is the header of the answer. It may be nil.
	Header http.Header
	// Body is the first 64 KiB of the answer's body, as received: if the server
	// repeats a secret, it is in here.
	Body []byte `json:"-"`
}

// newErrorResponse keeps the status whatever the body is: what can't be read
// of it stays zero. clean takes the call's secrets out of a text.
func newErrorResponse(operation string, o *outcome, clean func(string) string) *ErrorResponse {
	var wire gen.ErrorResponse
	_ = json.Unmarshal(o.body, &wire)
	message := clean(wire.Error.Message)
	if message == "" {
		message = http.StatusText(o.status)
	}
	header := o.header.Clone()
	for _, values := range header {
		for i := range values {
			values[i] = clean(values[i])
		}
	}
	return &ErrorResponse{
		Operation:  operation,
		StatusCode: o.status,
		Code:       wire.Error.Code,
		Message:    message,
		RetryAfter: o.retryAfter,
		Header:     header,
		Body:       bytes.Clone(o.body[:min(len(o.body), maxErrorBody)]),
	}
}

// Error names the operation, the status, and the server's message and code if
// it gave them, on one line:
//
//	oneloop: generateLinkToken: 401 Unauthorized: invalid SDK key (code 401)
func (e *ErrorResponse) Error() string {
	if e == nil {
		return "<nil>"
	}
	if e.Operation == "" { // made by hand, in a test
		return "oneloop: " + e.summary()
	}
	return "oneloop: " + e.Operation + ": " + e.summary()
}

func (e *ErrorResponse) summary() string {
	statusText := http.StatusText(e.StatusCode)
	text := strings.TrimSpace(strconv.Itoa(e.StatusCode) + " " + statusText)
	if e.Message != "" && e.Message != statusText {
		text += ": " + oneLine(e.Message)
	}
	if e.Code != 0 {
		text += " (code " + strconv.FormatFloat(e.Code, 'f', -1, 64) + ")"
	}
	return text
}

// oneLine keeps a server's text from forging or flooding a log.
func oneLine(s string) string {
	if len(s) > maxErrorMessage {
		s = strings.ToValidUTF8(s[:maxErrorMessage], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// Is reports whether target is the sentinel for the status.
func (e *ErrorResponse) Is(target error) bool {
	if e == nil {
		return false
	}
	switch target {
	case ErrBadRequest:
		return e.StatusCode == http.StatusBadRequest
	case ErrUnauthorized:
		return e.StatusCode == http.StatusUnauthorized
	case ErrForbidden:
		return e.StatusCode == http.StatusForbidden
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests
	case ErrServer:
		return e.StatusCode >= 500 && e.StatusCode <= 599
	}
	return false
}

// Format prints what Error returns for every verb, never Header and Body.
func (e ErrorResponse) Format(f fmt.State, verb rune) {
	formatText(f, verb, e.Error())
}

func invalid(where, what string) error {
	return &failure{text: "oneloop: " + where + ": " + what, cause: ErrInvalidArgument}
}
