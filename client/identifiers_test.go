package client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// encoding/json decodes every lone surrogate to U+FFFD, which makes one
// customer of several. It must not be one that exists.
func TestIdentifiersThatDecodeToTheSame(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{
		"high surrogate":            `acme\ud800`,
		"low surrogate":             `acme\udfff`,
		"alone":                     `\udc00`,
		"in front":                  `\ud83dacme`,
		"two high ones":             `acme\ud83d\ud83d`,
		"in the wrong order":        `acme\ude00\ud83d`,
		"next to another escape":    `acme\ud83d\n`,
		"in capitals":               `acme\uD800`,
		"the replacement character": "acme\ufffd",
		"the same, escaped":         `acme\ufffd`,
		"capital escape":            `acme\uFFFD`,
	} {
		for _, test := range []struct {
			op    operation
			field string
		}{
			{validate, `"customerId":"c1"`},
			{validate, `"workspaceId":"w1"`},
			{validate, `"externalBillingId":"b1"`},
			{generate, `"token":"` + testToken + `"`},
		} {
			field, _, _ := strings.Cut(test.field, ":")
			t.Run(name+"/"+strings.Trim(field, `"`), func(t *testing.T) {
				s := newScript(responds(200, strings.Replace(test.op.ok, test.field, field+`:"`+id+`"`, 1)))
				got, err := test.op.call(t.Context(), newClient(t, via(s)))
				if got != nil || !errors.Is(err, client.ErrMalformedResponse) || s.attempts() != 1 {
					t.Errorf("got %+v and %v after %d attempts, want ErrMalformedResponse", got, err, s.attempts())
				}
			})
		}
	}
}

// What is well-formed stays, whatever it is.
func TestIdentifiersKeepTheirCharacters(t *testing.T) {
	t.Parallel()
	for encoded, want := range map[string]string{
		`acme\ud83d\ude00`:   "acme\U0001f600",
		`acme\uD83D\uDE00 x`: "acme\U0001f600 x",
		`\\ud800`:            `\ud800`,
		`\\\\udfff`:          `\\udfff`,
		"zoë\u2028\ufffe":    "zoë\u2028\ufffe",
		`a\u0000b`:           "a\x00b",
		`acme\/\"\\`:         `acme/"\`,
	} {
		s := newScript(responds(200, strings.Replace(validated, `"c1"`, `"`+encoded+`"`, 1)))
		v, err := newClient(t, via(s)).ValidateLinkToken(t.Context(), testToken)
		if err != nil || v.CustomerID != want {
			t.Errorf("%s: got %+v, %v, want %q", encoded, v, err, want)
		}
	}
}
