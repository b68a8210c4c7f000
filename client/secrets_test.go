package client_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// oddToken has characters that a URL may escape but need not.
const oddToken = `lt_canary!'(*)~:+=d93b5f`

// secretForms are the secrets of the tests in common encodings.
var secretForms = func() (forms []string) {
	for _, secret := range []string{testKey, testToken, oddToken} {
		for _, form := range []string{
			secret, url.PathEscape(secret), url.QueryEscape(secret), (&url.URL{Path: secret}).EscapedPath(),
			strconv.Quote(secret), strconv.QuoteToASCII(secret), quoteJSON(secret),
			base64.StdEncoding.EncodeToString([]byte(secret))[:24], // the beginning of a []byte in JSON
		} {
			forms = append(forms, strings.Trim(form, `"`))
		}
	}
	return forms
}()

// hasSecret returns the secret in text, as it is encoded there, or "".
func hasSecret(text string) string {
	for _, form := range secretForms {
		if strings.Contains(text, form) {
			return form
		}
	}
	return ""
}

func noSecret(tb testing.TB, what, text string) (ok bool) {
	tb.Helper()
	secret := hasSecret(text)
	if secret != "" {
		tb.Errorf("%s shows %s: %s", what, secret, text)
	}
	return secret == ""
}

// noSecretIn prints v with many verbs of package fmt and with log/slog, and checks
// that none shows a secret.
func noSecretIn(tb testing.TB, what string, v any) {
	tb.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%#q", "%+q", "%d", "%x", "%t", "%c", "%5.2v"} {
		if !noSecret(tb, what+" "+verb, fmt.Sprintf(verb, v)) {
			return
		}
	}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("message", "attr", v, slog.Group("group", "attr", v))
	}
	noSecret(tb, what+" in slog", out.String())
}

func TestPrintingShowsNoSecret(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	token := client.LinkToken{Token: testToken, ExpiresAt: time.Unix(1893456000, 0).UTC()}
	for name, v := range map[string]any{
		"*Client":    c,
		"Client":     *c,
		"LinkToken":  token,
		"*LinkToken": &token,
	} {
		noSecretIn(t, name, v)
	}
	for name, v := range map[string]any{ // encoding/json, and so slog's JSON, shows the token
		"struct of *Client":    struct{ C *client.Client }{c},
		"[]LinkToken":          []client.LinkToken{token},
		"struct of *LinkToken": struct{ T *client.LinkToken }{&token},
		"struct of LinkToken": struct {
			N string
			T client.LinkToken
		}{"n", token},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			noSecret(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
	}
	const want = "link token [redacted] until 2030-01-01T00:00:00Z"
	for _, got := range []string{fmt.Sprint(token), token.String()} { // loggers such as zap and logr call String
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got, want := token.LogValue().String(), "[token=[redacted] expiresAt=2030-01-01 00:00:00 +0000 UTC]"; got != want {
		t.Errorf("LogValue: got %q, want %q", got, want)
	}
	encoded, err := json.Marshal(struct{ Client any }{c})
	if err != nil || hasSecret(string(encoded)) != "" {
		t.Errorf("got %s, %v, want no key in the JSON", encoded, err)
	}
}

func TestRedactedMessages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ token, message, want string }{
		"too short to be a secret": {"tok", "unknown token", "unknown token"},
		"long enough":              {"lt_12345", "unknown token lt_12345", "unknown token [redacted]"},
		"contains the SDK key":     {"HEAD" + testKey + "TAIL", "HEAD" + testKey + "TAIL", "[redacted]"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, via(responds(400, `{"error":{"code":1,"message":"`+test.message+`"}}`)))
			_, err := c.ValidateLinkToken(t.Context(), test.token)
			if got := asResponse(t, err).Message; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
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
				c := newClient(t, via(step), record(&attempts), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
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

// Redaction must be fast for every token, which a visitor chooses, and for every
// response: the deadline can't interrupt it.
func TestRedactionTime(t *testing.T) {
	t.Parallel()
	const limit = 250 * time.Millisecond // it takes a few milliseconds on an idle machine
	token := strings.Repeat("a", 2047) + "b"
	nearMiss := strings.Repeat("a", 1_000_000)
	message := `{"error":{"code":400,"message":"` + nearMiss + `"}}`
	const badRequest = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"
	for name, wire := range map[string]string{
		"one header of 1 MB":     badRequest + "X: " + nearMiss[:999_000] + "\r\n\r\n",
		"headers of 4 KB":        badRequest + strings.Repeat("X: "+nearMiss[:4_000]+"\r\n", 240) + "\r\n",
		"a message of 1 MB":      fmt.Sprintf("HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(message), message),
		"a reason of 1 MB":       "HTTP/1.1 400 " + nearMiss + "\r\nContent-Length: 0\r\n\r\n",
		"not HTTP, but 1 MB":     nearMiss + "\r\n\r\n",
		"a content type of 1 MB": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/" + nearMiss[:999_000] + "\r\n\r\n{}",
	} {
		t.Run(name, func(t *testing.T) {
			base := rawServer(t, func(conn net.Conn, _, _ int) bool {
				_, err := io.WriteString(conn, wire)
				return err == nil
			})
			c := newClient(t, via(new(http.Transport)), client.WithBaseURL(base), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
			took := func(token string) time.Duration {
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
