package client

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A failure is every error of this package but *ErrorResponse and the sentinels.
// Its text is safe to show. errors.Is and errors.As find its cause; there is no
// Unwrap, because a cause may print a secret, such as a URL with a link token.
type failure struct {
	text  string
	cause error
}

func invalid(where, problem string) error {
	return &failure{text: "oneloop: " + where + ": " + problem, cause: ErrInvalidArgument}
}

func malformed(err error) error {
	return &failure{text: "malformed response: " + err.Error(), cause: ErrMalformedResponse}
}

func (e *failure) Error() string        { return e.text }
func (e *failure) Is(target error) bool { return errors.Is(e.cause, target) }

// As finds what is in the cause. Instead of a *url.Error, or of an error that
// wraps one if target can hold both, it returns a copy that doesn't show the URL.
func (e *failure) As(target any) bool {
	if !errors.As(e.cause, target) {
		return false
	}
	found := reflect.ValueOf(target).Elem()
	err, _ := found.Interface().(error)
	var withURL *url.Error
	if errors.As(err, &withURL) && withURL.URL != redacted {
		safe := reflect.ValueOf(&url.Error{Op: withURL.Op, URL: redacted, Err: &failure{e.text, withURL.Err}})
		if safe.Type().AssignableTo(found.Type()) {
			found.Set(safe)
		}
	}
	return true
}

// Format prints the text for every verb: %#v would print the cause.
func (e failure) Format(f fmt.State, verb rune) { formatText(f, verb, e.text) }

// formatText formats text as the same verb and flags would format a string.
func formatText(f fmt.State, verb rune, text string) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), text)
}

const redacted = "[redacted]"

// minSecret is the length in bytes from which a secret is redacted. Shorter
// values are likely to occur in ordinary text.
const minSecret = 8

// redact replaces the secrets in a text, both as they are and as a URL has them.
func redact(text string, secrets ...string) string {
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // one may contain another
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			text = strings.ReplaceAll(text, url.PathEscape(secret), redacted)
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return text
}

// oneLine keeps a text from forging a log: it replaces control characters, line
// separators, and characters that change the direction of text.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
}

// maxText is the largest length of a text that others made, in bytes.
const maxText = 1 << 10

func limit(s string) string {
	if len(s) <= maxText {
		return s
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(s[:maxText-len(ellipsis)], "") + ellipsis
}
