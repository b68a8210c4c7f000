package client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// encoding/json decodes every lone surrogate to U+FFFD, so different identifiers
// would become the same one.
func TestLoneSurrogates(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{
		"high surrogate":            `acme\ud800`,
		"low surrogate":             `acme\udfff`,
		"alone":                     `\udc00`,
		"at the start":              `\ud83dacme`,
		"two high surrogates":       `acme\ud83d\ud83d`,
		"wrong order":               `acme\ude00\ud83d`,
		"before another escape":     `acme\ud83d\n`,
		"uppercase":                 `acme\uD800`,
		"U+FFFD":                    "acme\ufffd",
		"U+FFFD escaped":            `acme\ufffd`,
		"U+FFFD escaped, uppercase": `acme\uFFFD`,
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

// Well-formed identifiers are not changed, however unusual they are.
func TestUnusualIdentifiers(t *testing.T) {
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
