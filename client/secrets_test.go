package client_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/client"
)

// oddToken has characters that a URL may escape but need not.
const oddToken = `lt_canary!'(*)~d93b5f`

// hasSecret returns the secret in text, in whatever common encoding it finds it, or
// "".
func hasSecret(text string) string {
	for _, secret := range []string{testKey, testToken, oddToken} {
		inJSON, _ := json.Marshal(secret)
		for _, form := range []string{
			secret, url.PathEscape(secret), url.QueryEscape(secret), (&url.URL{Path: secret}).EscapedPath(),
			strconv.Quote(secret), strconv.QuoteToASCII(secret), string(inJSON),
			base64.StdEncoding.EncodeToString([]byte(secret))[:24], // the beginning of a []byte in JSON
		} {
			if strings.Contains(text, strings.Trim(form, `"`)) {
				return form
			}
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
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"slog text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"slog JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out)).Info("message", "attr", v, slog.Group("group", "attr", v))
		if !noSecret(tb, what+" "+name, out.String()) {
			return
		}
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	token := client.LinkToken{Token: testToken, ExpiresAt: time.Unix(1893456000, 0).UTC()}
	for name, v := range map[string]any{
		"Client":            *c,
		"*Client":           c,
		"struct of Client":  struct{ C *client.Client }{c},
		"LinkToken":         token,
		"*LinkToken":        &token,
		"[]LinkToken":       []client.LinkToken{token},
		"struct of pointer": struct{ T *client.LinkToken }{&token},
		"nil *Client":       (*client.Client)(nil),
		"nil *LinkToken":    (*client.LinkToken)(nil),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			noSecret(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
	}
	noSecretIn(t, "LinkToken", token)
	noSecretIn(t, "*LinkToken", &token)
	noSecretIn(t, "Client", c)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		noSecret(t, "LinkToken in a struct "+verb, fmt.Sprintf(verb, struct {
			Name  string
			Token client.LinkToken
		}{"n", token}))
	}
	if got, want := fmt.Sprint(token), "link token [redacted] until 2030-01-01T00:00:00Z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	encoded, err := json.Marshal(token)
	if err != nil || !strings.Contains(string(encoded), testToken) {
		t.Errorf("got %s, %v, want the token in the JSON", encoded, err)
	}
	encoded, err = json.Marshal(struct{ Client any }{c})
	if err != nil || hasSecret(string(encoded)) != "" {
		t.Errorf("got %s, %v, want no key in the JSON", encoded, err)
	}
}

// Header and Body are as received, but are not printed.
func TestErrorResponseHeaderAndBody(t *testing.T) {
	t.Parallel()
	body := `{"error":{"code":1,"message":"` + testToken + `"}}`
	_, err := validate.call(t.Context(), newClient(t, via(responds(400, body, "X-Echo", testToken))))
	e := asResponse(t, err)
	if string(e.Body) != body || e.Header.Get("X-Echo") != testToken || e.Message != "[redacted]" {
		t.Errorf("got body %s, header %v, message %q", e.Body, e.Header, e.Message)
	}
	noSecretIn(t, "*ErrorResponse", e)
	noSecretIn(t, "ErrorResponse", *e)
	encoded, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	noSecret(t, "JSON", string(encoded))
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

// The text of a transport's error must not forge log lines, or make them very long.
func TestTransportErrorText(t *testing.T) {
	t.Parallel()
	var attempts []client.Attempt
	c := newClient(t, quick, record(&attempts), via(fails(errors.New("a\r\nlevel=INFO "+strings.Repeat("é", 1<<20)))))
	_, err := validate.call(t.Context(), c)
	for _, err := range []error{err, attempts[0].Err} {
		if text := err.Error(); strings.ContainsAny(text, "\r\n") || len(text) > 2<<10 || !utf8.ValidString(text) {
			t.Errorf("not one short line but %d bytes: %.100q", len(text), text)
		}
	}
}
