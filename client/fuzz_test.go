package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/client"
)

// addResponses adds valid and invalid responses to the seed corpus.
func addResponses(f *testing.F) {
	for _, body := range []string{
		`{"token":"t","expiresAt":1893456000}`,
		`{"valid":true,"expiresAt":1893456000000,"workspaceId":"w","customerId":"c","externalBillingId":"b"}`,
		`{"valid":false,"expiresAt":1,"workspaceId":"","customerId":""}`,
		`{"error":{"code":12000000,"message":"m"}}`, `{"error":{"code":"E","message":null}}`, `{"error":[]}`,
		`{"expiresAt":9223372036854775808}`, `{"expiresAt":1e400}`, `{"expiresAt":253402300800000}`, `{"expiresAt":-1}`,
		"", "null", "{}", "[]", "{}{}", "<html>", "\xff", "\ufeff{}", `{"token":"\ud800"}`, `{"valid":false,"v\u0061lid":true,"expiresAt":1,"workspaceId":"w","customerId":"c"}`, `{"valid":true,"Valid":false}`,
		`{"valid":true,"expiresAt":1,"workspaceId":"w","customerId":"c","x":{"valid":[false,"valid"]},"y":"valid","z\"":":"}`,
		`{"valid":false,"valid":true,"expiresAt":1,"work\u017fpaceId":"w","customerId":"c"}`,
		`{"valid":null,"valid":true,"expiresAt":1,"workspaceId":"\u0077","customerId":"c\udfff"}`,
		strings.Repeat("[", 10_001),
	} {
		f.Add("application/json", []byte(body))
	}
	f.Add("Application/Problem+JSON; charset=utf-8", []byte("{}"))
	f.Add("text/html", []byte("<html>"))
	f.Add(";;;", []byte(""))
}

func FuzzGenerateLinkTokenResponse(f *testing.F) {
	addResponses(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		c := newClient(t, via(responds(200, string(body), "Content-Type", contentType)))
		token, err := c.GenerateLinkToken(t.Context(), testRequest)
		if err != nil {
			checkMalformed(t, err)
			return
		}
		if token.Token == "" || token.Token == "." || token.Token == ".." || len(token.Token) > longestToken || strings.Trim(token.Token, tokenAlphabet) != "" {
			t.Errorf("%q: accepted the token %q", body, token.Token)
		}
		checkExpiresAt(t, token.ExpiresAt)
		checkFields(t, body, map[string]any{"token": token.Token, "expiresAt": nil})
	})
}

func FuzzValidateLinkTokenResponse(f *testing.F) {
	addResponses(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		c := newClient(t, via(responds(200, string(body), "Content-Type", contentType)))
		v, err := c.ValidateLinkToken(t.Context(), testToken)
		if err != nil {
			checkMalformed(t, err)
			return
		}
		if v.Valid && (v.WorkspaceID == "" || v.CustomerID == "") {
			t.Errorf("%q: accepted %+v", body, *v)
		}
		checkExpiresAt(t, v.ExpiresAt)
		checkFields(t, body, map[string]any{"valid": v.Valid, "workspaceId": v.WorkspaceID, "customerId": v.CustomerID, "expiresAt": nil})
	})
}

func checkMalformed(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, client.ErrMalformedResponse) {
		t.Errorf("got %v, want ErrMalformedResponse", err)
	}
}

// checkFields reads the body as JSON tokens. It checks that each field occurs once
// in any letter case, is not null, and has the value in want unless that is nil.
func checkFields(t *testing.T, body []byte, want map[string]any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	if brace, err := dec.Token(); err != nil || brace != json.Delim('{') {
		t.Fatalf("%q is not an object", body)
	}
	times := map[string]int{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		for field, value := range want {
			if !strings.EqualFold(name.(string), field) {
				continue
			}
			times[field]++
			if got == nil || value != nil && got != value {
				t.Errorf("%q: decoded %s as %v, but it is %v", body, field, value, got)
			}
		}
	}
	for field := range want {
		if times[field] != 1 {
			t.Errorf("%q: accepted with %d fields %s, want 1", body, times[field], field)
		}
	}
}

func checkExpiresAt(t *testing.T, at time.Time) {
	t.Helper()
	if at.Unix() <= 0 || at.Year() > 9999 || at.Location() != time.UTC {
		t.Errorf("expiresAt is %v", at)
	}
	if _, err := at.MarshalJSON(); err != nil {
		t.Error(err)
	}
}

func FuzzErrorResponse(f *testing.F) {
	addResponses(f)
	f.Add(testToken, []byte(`{"error":{"code":1,"message":"`+testToken+`"}}`))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		_, err := validate.call(t.Context(), newClient(t, via(responds(400, string(body), "X", header))))
		e := asResponse(t, err)
		switch text := e.Error(); {
		case e.StatusCode != 400 || !errors.Is(e, client.ErrBadRequest) || e.Header.Get("X") != header:
			t.Errorf("the status or the header is wrong: %+v", e)
		case e.Message == "" || len(e.Message) > 1<<10:
			t.Errorf("the message has %d bytes", len(e.Message))
		case strings.Contains(text, testToken) || strings.Contains(e.Message, testToken):
			t.Errorf("%q shows the secret", text)
		case strings.ContainsAny(text, lineBreakers) || !utf8.ValidString(text):
			t.Errorf("%q is not one line of text", text)
		case len(text) > 2<<10:
			t.Errorf("the text has %d bytes", len(text))
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "5", "-1", "1.5", "9223372036", "9223372036854775807", "99999999999999999999", "18700000000000000000A", "soon",
		"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Saturday, 01-Jan-00 00:00:05 GMT", "Sat Jan  1 00:00:05 2000",
	} {
		f.Add(seed)
	}
	once := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1})
	f.Fuzz(func(t *testing.T, value string) {
		_, err := validate.call(t.Context(), newClient(t, once, via(responds(503, "", "Retry-After", value))))
		got := asResponse(t, err).RetryAfter
		switch date, err := http.ParseTime(value); {
		case err == nil:
			if want := max(0, time.Until(date)); got < want || got > want+min(time.Minute, math.MaxInt64-want) {
				t.Errorf("%q: got %v, want %v", value, got, want)
			}
		case value != "" && strings.Trim(value, "0123456789") == "":
			seconds, err := strconv.ParseInt(value, 10, 64)
			want := time.Duration(math.MaxInt64)
			if err == nil && seconds <= int64(math.MaxInt64/time.Second) {
				want = time.Duration(seconds) * time.Second
			}
			if got != want {
				t.Errorf("%q: got %v, want %v", value, got, want)
			}
		case got != 0:
			t.Errorf("%q: got %v, want 0", value, got)
		}
	})
}
