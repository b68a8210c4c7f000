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

// What an *ErrorResponse is, by its status, for errors.Is.
var (
	ErrBadRequest   = errors.New("oneloop: bad request")         // 400
	ErrUnauthorized = errors.New("oneloop: unauthorized")        // 401: the SDK key is wrong
	ErrForbidden    = errors.New("oneloop: forbidden")           // 403: the SDK key may not do this
	ErrRateLimited  = errors.New("oneloop: rate limited")        // 429: try later
	ErrServer       = errors.New("oneloop: server-side failure") // 5xx: try later
)

var (
	// ErrInvalidArgument is matched by errors about an argument or option that
	// was refused before anything was sent. Their text names it, without its value.
	ErrInvalidArgument = errors.New("oneloop: invalid argument")

	// ErrMalformedResponse is matched by errors about a 2xx that breaks the
	// contract: not JSON, longer than 1 MiB, a required field missing, null, of
	// the wrong type or out of bounds. Their text says which. It is not retried,
	// and must never be taken for a yes.
	ErrMalformedResponse = errors.New("oneloop: malformed response")
)

const (
	maxErrorBody    = 64 << 10
	maxErrorMessage = 1 << 10
)

// ErrorResponse is every answer outside 2xx, whatever its body; redirects are
// among them, because they are not followed. Get it with errors.As, or match
// the sentinels with errors.Is:
//
//	var answer *client.ErrorResponse
//	if errors.As(err, &answer) && answer.StatusCode == http.StatusConflict { … }
//
// If the server echoes the SDK key or the link token, "[redacted]" stands for
// it in Message and Header. Body is as received; printing does not show it.
type ErrorResponse struct {
	Operation  string        // the contract's operationId
	StatusCode int           // of the last answer
	Code       float64       // error.code of the body, a number in the contract; 0 where there was none
	Message    string        // error.message of the body, else the status text
	RetryAfter time.Duration // of the Retry-After header as it was received, the largest Duration where that is too small; 0: none, or passed
	Attempts   int           // of the whole call
	Header     http.Header
	Body       []byte // as received, at most 64 KiB
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
