package client

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/internal/transport"
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
		token, err := decodeLinkToken(http.Header{"Content-Type": {contentType}}, body)
		if err != nil {
			return
		}
		if !isLinkToken(token.Token) {
			t.Errorf("%q: accepted the token %#v", body, token.Token)
		}
		checkExpiresAt(t, token.ExpiresAt)
		checkFields(t, body, map[string]any{"token": token.Token, "expiresAt": nil})
	})
}

func FuzzValidateLinkTokenResponse(f *testing.F) {
	addResponses(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		v, err := decodeLinkTokenValidation(http.Header{"Content-Type": {contentType}}, body)
		if err != nil {
			return
		}
		if v.Valid && (v.WorkspaceID == "" || v.CustomerID == "") {
			t.Errorf("%q: accepted %+v", body, v)
		}
		checkExpiresAt(t, v.ExpiresAt)
		checkFields(t, body, map[string]any{"valid": v.Valid, "workspaceId": v.WorkspaceID, "customerId": v.CustomerID, "expiresAt": nil})
	})
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
	const secret = "lt_canary_e81d07c6b2f94a35"
	f.Add(secret, []byte(`{"error":{"code":1,"message":"`+secret+`"}}`))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		result := transport.Result{Status: 400, Header: http.Header{"X": {header}}, Body: body}
		e := newErrorResponse("validateLinkToken", 1, secrets{linkToken: secret}, result, 0)
		switch text := e.Error(); {
		case e.StatusCode != 400 || !e.Is(ErrBadRequest) || e.Header.Get("X") != header:
			t.Errorf("the status or the header is wrong: %+v", e)
		case e.Message == "" || len(e.Message) > maxText:
			t.Errorf("the message has %d bytes", len(e.Message))
		case strings.Contains(text, secret) || strings.Contains(e.Message, secret):
			t.Errorf("%q shows the secret", text)
		case strings.ContainsAny(text, "\r\n\u2028\u2029\u202e") || !utf8.ValidString(text):
			t.Errorf("%q is not one line of text", text)
		case len(text) > 2*maxText:
			t.Errorf("the text has %d bytes", len(text))
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "5", "-1", "1.5", "9223372036", "9223372036854775807", "99999999999999999999", "soon",
		"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Saturday, 01-Jan-00 00:00:05 GMT", "Sat Jan  1 00:00:05 2000",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d := parseRetryAfter(value); d < -1 {
			t.Errorf("%q: %v", value, d)
		}
	})
}
