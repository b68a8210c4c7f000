package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/client"
)

// An *ErrorResponse has the status of the response, regardless of the body.
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
		"code beyond float64":  {`{"error":{"code":1e400,"message":"m"}}`, "application/json", 0, "m"}, // Go 1.27 decodes it to +Inf, which JSON can't hold
		"code below float64":   {`{"error":{"code":-1e400,"message":"m"}}`, "application/json", 0, "m"},
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
				if encoded, err := json.Marshal(e); err != nil {
					t.Errorf("as JSON: got %s, %v", encoded, err)
				}
				for sentinel, matches := range map[error]bool{
					client.ErrBadRequest:        status == 400,
					client.ErrUnauthorized:      status == 401,
					client.ErrForbidden:         status == 403,
					client.ErrRateLimited:       status == 429,
					client.ErrServer:            status >= 500 && status <= 599,
					client.ErrMalformedResponse: false,
					client.ErrInvalidArgument:   false,
					client.ErrInvalidLinkToken:  false,
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
}

func TestSentinelText(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"oneloop: bad request":        client.ErrBadRequest,
		"oneloop: unauthorized":       client.ErrUnauthorized,
		"oneloop: forbidden":          client.ErrForbidden,
		"oneloop: rate limited":       client.ErrRateLimited,
		"oneloop: server error":       client.ErrServer,
		"oneloop: invalid argument":   client.ErrInvalidArgument,
		"oneloop: invalid link token": client.ErrInvalidLinkToken,
		"oneloop: malformed response": client.ErrMalformedResponse,
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestErrorResponseLimits(t *testing.T) {
	t.Parallel()
	body := `{"error":{"code":1,"message":"` + strings.Repeat("é", 100_000) + `"}}`
	_, err := validate.call(t.Context(), newClient(t, via(responds(400, body))))
	e := asResponse(t, err)
	if want := strings.Repeat("é", 510) + "…"; e.Message != want { // 1 KiB would cut through the last é
		t.Errorf("Message has %d bytes, want %d: %.100q…%.10q", len(e.Message), len(want), e.Message, e.Message[max(0, len(e.Message)-10):])
	}
	if string(e.Body) != body[:64<<10] {
		t.Errorf("Body has %d bytes, want the first 64 KiB", len(e.Body))
	}
}

func TestTruncatedErrorBody(t *testing.T) {
	t.Parallel()
	_, err := validate.call(t.Context(), newClient(t, via(truncated(400))))
	if e := asResponse(t, err); string(e.Body) != `{"tok` {
		t.Errorf("got body %q, want what was received", e.Body)
	}
}

// Header and Body are as received, so they may echo secrets. Printing or encoding an
// *ErrorResponse leaves them out.
func TestErrorResponseHeaderAndBody(t *testing.T) {
	t.Parallel()
	body := `{"error":{"code":1,"message":"` + testToken + `"},"debug":"` + testKey + `"}`
	_, err := validate.call(t.Context(), newClient(t, via(responds(400, body, "X-Echo", testKey+testToken))))
	e := asResponse(t, err)
	if string(e.Body) != body || e.Header.Get("X-Echo") != testKey+testToken || e.Message != "[redacted]" {
		t.Errorf("got body %s, header %v, message %q", e.Body, e.Header, e.Message)
	}
	noSecretIn(t, "*ErrorResponse", e)
	noSecretIn(t, "ErrorResponse", *e)
	encoded, err := json.Marshal(e)
	if err != nil || hasSecret(string(encoded)) != "" || !bytes.Contains(encoded, []byte(`"StatusCode":400`)) {
		t.Errorf("got %s, %v", encoded, err)
	}
}

// The error includes the last response even if a later attempt got none.
func TestLastResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, via(newScript(responds(503, `{"error":{"code":7,"message":"down"}}`), neverConnects(dialError(syscall.ECONNREFUSED)))))
		_, err := validate.call(t.Context(), c)
		if e := asResponse(t, err); e.StatusCode != 503 || e.Code != 7 || e.Attempts != 3 {
			t.Errorf("got %+v", e)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v does not match the last attempt's error", err)
		}
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for name, location := range map[string]string{
		"same host":        "/api/v1/link-token/other",
		"another host":     "https://elsewhere.example/",
		"https to http":    "http://prod.oneloop.ai/",
		"no location":      "",
		"invalid location": "http://[::1",
		"bad escape":       "/%zz",
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			for _, op := range operations {
				t.Run(fmt.Sprintf("%s/%d/%s", op.name, status, name), func(t *testing.T) {
					s := newScript(responds(status, "", "Location", location), responds(200, either))
					follow := func(*http.Request, []*http.Request) error { return nil }
					c := newClient(t, client.WithHTTPClient(&http.Client{Transport: s, CheckRedirect: follow}))
					_, err := op.call(t.Context(), c)
					if e := asResponse(t, err); e.StatusCode != status || e.Attempts != 1 || s.attempts() != 1 {
						t.Errorf("got %v after %d attempts and %d requests, want one request", e, e.Attempts, s.attempts())
					}
				})
			}
		}
	}
}

// After more than one attempt, the error says how many there were.
func TestErrorTextCountsAttempts(t *testing.T) {
	t.Parallel()
	down := responds(503, `{"error":{"code":7,"message":"down"}}`)
	for name, test := range map[string]struct {
		steps []roundTripFunc
		want  string // "" for a single attempt
	}{
		"one attempt":          {[]roundTripFunc{responds(400, "")}, ""},
		"an error status":      {[]roundTripFunc{down}, "after 3 attempts"},
		"a final status":       {[]roundTripFunc{down, responds(401, "")}, "after 2 attempts"},
		"a transport error":    {[]roundTripFunc{neverConnects(dialError(syscall.ECONNREFUSED))}, "after 3 attempts"},
		"malformed":            {[]roundTripFunc{down, responds(200, "{}")}, "after 2 attempts"},
		"an oversize response": {[]roundTripFunc{down, responds(200, strings.Repeat(" ", 1<<20+1))}, "after 2 attempts"},
		"the attempt timeout":  {[]roundTripFunc{down, down, hangs}, "after 3 attempts"},
		"the call's timeout":   {[]roundTripFunc{responds(503, "", "Retry-After", "9"), hangs}, "after 2 attempts"},
	} {
		for _, op := range operations {
			inBubble(t, name+"/"+op.name, func(t *testing.T) {
				_, err := op.call(t.Context(), newClient(t, via(newScript(test.steps...)), client.WithTimeout(14*time.Second)))
				if err == nil {
					t.Fatal("the call succeeded")
				}
				if got := strings.Count(err.Error(), " attempts"); test.want == "" && got != 0 || test.want != "" && got != 1 || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%q does not contain %q once", err, test.want)
				}
			})
		}
	}
}

// lineBreakers are characters that some programs treat as the end of a line, or
// that change the direction of the text around them.
const lineBreakers = "\r\n\v\f\u0085\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x1b\x7f\u009b"

func quoteJSON(text string) string {
	quoted, _ := json.Marshal(text) // can't fail for a string
	return string(quoted)
}

// Text from a server, a transport or a key source must not forge log lines, or make
// them very long.
func TestErrorTextOneLine(t *testing.T) {
	t.Parallel()
	once := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1})
	for name, text := range map[string]string{
		"hostile":    "no" + lineBreakers + "level=INFO user=admin",
		"huge":       strings.Repeat("é\u2028", 1<<14) + ".",
		"huge ASCII": strings.Repeat("x", 1<<17),
	} {
		body := `{"error":{"code":1,"message":` + quoteJSON(text) + `}}`
		source := func(context.Context) (string, error) { return "", errors.New(text) }
		for from, test := range map[string]struct {
			key  string
			opts []client.Option
		}{
			"server":       {testKey, []client.Option{once, via(responds(400, body))}},
			"server, late": {testKey, []client.Option{quick, via(newScript(responds(503, body), fails(io.EOF)))}},
			"transport":    {testKey, []client.Option{once, via(fails(errors.New(text)))}},
			"key source":   {"", []client.Option{client.WithKeySource(source)}},
		} {
			t.Run(from+"/"+name, func(t *testing.T) {
				var attempts []client.Attempt
				_, err := validate.call(t.Context(), newClientWithKey(t, test.key, append(test.opts, record(&attempts))...))
				for _, err := range allErrors(err, attempts) {
					oneShortLine(t, err.Error())
					oneShortLine(t, fmt.Sprintf("%+v", err))
				}
				var response *client.ErrorResponse
				if errors.As(err, &response) {
					oneShortLine(t, response.Error())
					if len(response.Message) > 1<<10 || !utf8.ValidString(response.Message) {
						t.Errorf("Message has %d bytes, want at most 1 KiB of valid UTF-8", len(response.Message))
					}
				}
			})
		}
		oneShortLine(t, (&client.ErrorResponse{StatusCode: 400, Message: text}).Error())
	}
}

func oneShortLine(t *testing.T, text string) {
	t.Helper()
	if strings.ContainsAny(text, lineBreakers) || len(text) > 2<<10 || !utf8.ValidString(text) || strings.Contains(text, "\ufffd") {
		t.Errorf("not one short line but %d bytes: %+.200q", len(text), text)
	}
}
