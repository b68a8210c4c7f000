package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// Redaction must be fast whatever the token, which a visitor chooses, and whatever
// the response: the deadline can't interrupt it.
func TestRedactionTime(t *testing.T) {
	t.Parallel()
	const limit = 250 * time.Millisecond // it takes a few milliseconds on an idle machine
	token := strings.Repeat("a", 2047) + "b"
	nearMiss := strings.Repeat("a", 1<<20)
	header := func(value string) string {
		line := "X: " + value + "\r\n"
		return strings.Repeat(line, 1_000_000/len(line))
	}
	message, err := json.Marshal(map[string]any{"error": map[string]any{"code": 400, "message": nearMiss[:1<<20-100]}})
	if err != nil {
		t.Fatal(err)
	}
	for name, wire := range map[string]string{
		"one header of 1 MB":     "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n" + header(nearMiss[:999_000]) + "\r\n",
		"headers of 4 KB":        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n" + header(nearMiss[:4_000]) + "\r\n",
		"headers of one letter":  "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n" + header("a") + "\r\n",
		"a message of 1 MiB":     fmt.Sprintf("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(message), message),
		"a reason of 1 MB":       "HTTP/1.1 400 " + nearMiss[:1_000_000] + "\r\nContent-Length: 0\r\n\r\n",
		"not HTTP, but 1 MB":     nearMiss[:1_000_000] + "\r\n\r\n",
		"a content type of 1 MB": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/" + nearMiss[:1_000_000] + "\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			took := func(token string) time.Duration {
				base := rawServer(t, func(conn net.Conn, _, _ int) bool {
					_, err := io.WriteString(conn, wire)
					return err == nil
				})
				c := newClient(t, client.WithBaseURL(base), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
				start := time.Now()
				_, err := c.ValidateLinkToken(t.Context(), token)
				if err == nil {
					t.Fatal("the call succeeded")
				}
				end := time.Since(start)
				if text := err.Error(); len(text) > 4<<10 {
					t.Errorf("the error text has %d bytes", len(text))
				}
				return end
			}
			extra := time.Hour
			for i := 0; i < 3 && extra > limit; i++ { // retried in case the machine was busy
				extra = took(token) - 2*took("t") // "t" is too short to be redacted
				if extra > 4*limit {
					break
				}
			}
			if extra > limit {
				t.Errorf("redaction took %v, want at most %v", extra, limit)
			}
		})
	}
}

// Long texts are truncated. If that cuts through a secret, the rest of the secret
// must not be readable.
func TestTruncatedTextsShowNoSecret(t *testing.T) {
	t.Parallel()
	const visible = 8 // shorter parts of a secret may remain
	longToken := strings.Repeat("lt_0123456789abcdef", 100)
	for at := 900; at <= 1100; at += 7 {
		for _, secret := range []string{testKey, longToken} {
			text := strings.Repeat("x", at) + secret + strings.Repeat("y", 2000)
			for name, step := range map[string]roundTripFunc{
				"message":         responds(400, `{"error":{"code":1,"message":"`+text+`"}}`),
				"transport error": fails(errors.New(text)),
			} {
				var attempts []client.Attempt
				c := newClient(t, via(newScript(step)), record(&attempts), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
				_, err := c.ValidateLinkToken(t.Context(), longToken)
				texts := []string{err.Error(), fmt.Sprintf("%+v %#v", err, err), fmt.Sprint(attempts[0].Err)}
				var response *client.ErrorResponse
				if errors.As(err, &response) {
					texts = append(texts, response.Message, response.Error())
				}
				for _, got := range texts {
					if strings.Contains(got, secret[:visible]) {
						t.Fatalf("%s, secret at %d: …%s", name, at, got[max(0, len(got)-100):])
					}
				}
			}
		}
	}
}

// Header and Body may repeat secrets from the request. Encoding an ErrorResponse as
// JSON leaves them out.
func TestErrorResponseAsJSON(t *testing.T) {
	t.Parallel()
	body := `{"error":{"code":1,"message":"no"},"debug":"` + testKey + testToken + `"}`
	_, err := validate.call(t.Context(), newClient(t, via(newScript(responds(400, body, "X-Echo", testKey+testToken)))))
	response := asResponse(t, err)
	if response.Header.Get("X-Echo") != testKey+testToken || string(response.Body) != body {
		t.Errorf("header %v and body %s are not as received", response.Header, response.Body)
	}
	encoded, err := json.Marshal(response)
	if err != nil || bytes.Contains(encoded, []byte("canary")) || !bytes.Contains(encoded, []byte("400")) {
		t.Errorf("got %s, %v", encoded, err)
	}
}
