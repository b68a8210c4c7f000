package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

const redacted = "[redacted]"

// minSecret is the length in bytes from which a secret is taken out of texts.
// Whatever is shorter protects nothing, and stands in ordinary words.
const minSecret = 8

// A failure is every error of this package but *ErrorResponse and the sentinels.
// errors.Is and errors.As find its cause. There is no Unwrap, because a cause may
// print a secret: the URL, of which the link token is a part, or what a server
// repeated.
type failure struct {
	text  string
	cause error
}

func (e *failure) Error() string        { return e.text }
func (e *failure) Is(target error) bool { return errors.Is(e.cause, target) }

// As finds what is in the cause. A *url.Error is handed out without its URL.
func (e *failure) As(target any) bool {
	if !errors.As(e.cause, target) {
		return false
	}
	found := reflect.ValueOf(target).Elem()
	if u, ok := found.Interface().(*url.Error); ok {
		found.Set(reflect.ValueOf(&url.Error{Op: u.Op, URL: redacted, Err: u.Err}))
	}
	return true
}

// Format prints the text for every verb: %#v would print the cause.
func (e failure) Format(f fmt.State, verb rune) { formatText(f, verb, e.text) }

// formatText formats text as the same verb and flags would format a string.
func formatText(f fmt.State, verb rune, text string) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), text)
}

// redact takes the secrets out of a text, also as URLs, Go and JSON quote them.
func redact(text string, secrets ...string) string {
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may contain another
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		inJSON, _ := json.Marshal(secret)
		for _, form := range []string{
			secret, url.PathEscape(secret), url.QueryEscape(secret), (&url.URL{Path: secret}).EscapedPath(),
			strings.Trim(strconv.Quote(secret), `"`), strings.Trim(strconv.QuoteToASCII(secret), `"`), strings.Trim(string(inJSON), `"`),
		} {
			text = strings.ReplaceAll(text, form, redacted)
		}
	}
	return text
}
