package client_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/client"
)

// An *ErrorResponse has the status of the response, whatever the body.
func TestErrorResponses(t *testing.T) {
	t.Parallel()
	const documented = `{"error":{"code":12000000,"message":"no such thing"}}`
	for name, test := range map[string]struct {
		body        string
		contentType string
		code        float64
		message     string // "": the status text
	}{
		"as documented":        {documented, "application/json", 12000000, "no such thing"},
		"without content type": {documented, "", 12000000, "no such thing"},
		"code with a fraction": {`{"error":{"code":4.5,"message":"m"}}`, "application/json", 4.5, "m"},
		"code is a string":     {`{"error":{"code":"E1","message":"m"}}`, "application/json", 0, "m"},
		"message is a number":  {`{"error":{"code":7,"message":1}}`, "application/json", 7, ""},
		"error is a string":    {`{"error":"no"}`, "application/json", 0, ""},
		"error is null":        {`{"error":null}`, "application/json", 0, ""},
		"other fields":         {`{"message":"no","statusCode":400}`, "application/json", 0, ""},
		"array":                {`[1]`, "application/json", 0, ""},
		"HTML":                 {"<html>502</html>", "text/html", 0, ""},
		"empty":                {"", "", 0, ""},
		"cut short":            {documented[:20], "application/json", 0, ""},
		"not UTF-8":            {"\xff\xfe", "application/json", 0, ""},
	} {
		for _, status := range []int{300, 304, 400, 401, 403, 404, 409, 418, 422, 429, 500, 501, 502, 503, 505, 599, 600, 999} {
			t.Run(fmt.Sprint(status, "/", name), func(t *testing.T) {
				c := newClient(t, client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}),
					via(responds(status, test.body, "Content-Type", test.contentType, "X-Request-Id", "r1")))
				got, err := validate.call(t.Context(), c)
				if got != nil {
					t.Fatalf("got result %v, want none", got)
				}
				e := asResponse(t, err)
				message := test.message
				if message == "" {
					message = http.StatusText(status)
				}
				if e.Operation != "validateLinkToken" || e.StatusCode != status || e.Code != test.code || e.Message != message ||
					e.Attempts != 1 || e.Header.Get("X-Request-Id") != "r1" || string(e.Body) != test.body || e.RetryAfter != 0 {
					t.Errorf("got %+v with code %v, message %q, header %v, body %q", e, e.Code, e.Message, e.Header, e.Body)
				}
				for sentinel, matches := range map[error]bool{
					client.ErrBadRequest:        status == 400,
					client.ErrUnauthorized:      status == 401,
					client.ErrForbidden:         status == 403,
					client.ErrRateLimited:       status == 429,
					client.ErrServer:            status >= 500 && status <= 599,
					client.ErrMalformedResponse: false,
					client.ErrInvalidArgument:   false,
				} {
					if errors.Is(err, sentinel) != matches {
						t.Errorf("errors.Is(err, %v) is %t", sentinel, !matches)
					}
				}
			})
		}
	}
}

func TestErrorResponseText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]*client.ErrorResponse{
		"oneloop: generateLinkToken: 401 Unauthorized: invalid SDK key":     {Operation: "generateLinkToken", StatusCode: 401, Code: 401, Message: "invalid SDK key"},
		"oneloop: generateLinkToken: 400 Bad Request: m (code 12000000)":    {Operation: "generateLinkToken", StatusCode: 400, Code: 12000000, Message: "m"},
		"oneloop: generateLinkToken: 400 Bad Request: m (code 0.25)":        {Operation: "generateLinkToken", StatusCode: 400, Code: 0.25, Message: "m"},
		"oneloop: validateLinkToken: 502 Bad Gateway":                       {Operation: "validateLinkToken", StatusCode: 502, Message: "Bad Gateway"},
		"oneloop: validateLinkToken: 599":                                   {Operation: "validateLinkToken", StatusCode: 599},
		"oneloop: validateLinkToken: 500 Internal Server Error: two  lines": {Operation: "validateLinkToken", StatusCode: 500, Message: "two\r\nlines"},
		"oneloop: 429 Too Many Requests":                                    {StatusCode: 429},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	long := (&client.ErrorResponse{StatusCode: 500, Message: strings.Repeat("é", 1<<19)}).Error()
	if len(long) > 2<<10 || strings.Contains(long, "\ufffd") {
		t.Errorf("with a message of 1 MiB, the text has %d bytes", len(long))
	}
}

func TestErrorMessageLimit(t *testing.T) {
	t.Parallel()
	_, err := validate.call(t.Context(), newClient(t, via(responds(400, `{"error":{"code":1,"message":"`+strings.Repeat("é", 100_000)+`"}}`))))
	if e := asResponse(t, err); len(e.Message) > 1<<10 || len(e.Message) < 1<<9 || !utf8.ValidString(e.Message) {
		t.Errorf("Message has %d bytes, want at most 1 KiB: %.100q", len(e.Message), e.Message)
	}
}

func TestErrorBodyLimit(t *testing.T) {
	t.Parallel()
	_, err := validate.call(t.Context(), newClient(t, via(responds(400, strings.Repeat("x", 100_000)))))
	if got := len(asResponse(t, err).Body); got != 64<<10 {
		t.Errorf("Body has %d bytes, want 64 KiB", got)
	}
}

func TestTruncatedErrorBody(t *testing.T) {
	t.Parallel()
	base := rawServer(t, func(conn net.Conn, _, _ int) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\nabc")
		return false
	})
	_, err := validate.call(t.Context(), newClient(t, client.WithBaseURL(base), quick))
	if e := asResponse(t, err); string(e.Body) != "abc" {
		t.Errorf("got body %q, want %q", e.Body, "abc")
	}
}

// The error includes the last response even if a later attempt got none.
func TestLastResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, via(newScript(responds(503, `{"error":{"code":7,"message":"down"}}`), fails(dialError(syscall.ECONNREFUSED)))))
		_, err := validate.call(t.Context(), c)
		if e := asResponse(t, err); e.StatusCode != 503 || e.Code != 7 || e.Attempts != 3 {
			t.Errorf("got %+v", e)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v does not match the last attempt's error", err)
		}
	})
}
