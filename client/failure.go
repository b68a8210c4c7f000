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

// A failure is an error whose text is safe to show. errors.Is and errors.As search
// its cause. There is no Unwrap method, because the cause may print a secret, such
// as a URL with a link token.
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

// As searches the cause. If it finds a *url.Error, or an error that wraps one, it
// sets target to a copy of the *url.Error without the URL. If target is an interface
// that *url.Error does not implement, As returns false.
func (e *failure) As(target any) bool {
	if !errors.As(e.cause, target) {
		return false
	}
	found := reflect.ValueOf(target).Elem()
	err, _ := found.Interface().(error)
	var withURL *url.Error
	if errors.As(err, &withURL) && withURL.URL != redacted {
		safe := reflect.ValueOf(&url.Error{Op: withURL.Op, URL: redacted, Err: &failure{e.text, withURL.Err}})
		if !safe.Type().AssignableTo(found.Type()) {
			return found.Kind() != reflect.Interface
		}
		found.Set(safe)
	}
	return true
}

// Format prints the text for every verb. Without it, %#v would print the cause.
func (e failure) Format(f fmt.State, verb rune) { formatText(f, verb, e.text) }

// formatText prints text as a string, with the verb and the flags of f.
func formatText(f fmt.State, verb rune, text string) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), text)
}

const redacted = "[redacted]"

// minSecret is the length of the shortest secret that is redacted, in bytes.
// Shorter values are likely to occur in ordinary text.
const minSecret = 8

// redact replaces secrets in text, both verbatim and as escaped in a URL path.
func redact(text string, secrets ...string) string {
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the longest first: one may contain another
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			text = strings.ReplaceAll(text, url.PathEscape(secret), redacted)
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return text
}

// oneLine replaces control characters, line separators and characters that change
// the direction of text, so that s can't forge log lines.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
}

// maxText is the length in bytes to which texts from others are cut.
const maxText = 1 << 10

func limit(s string) string {
	if len(s) <= maxText {
		return s
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(s[:maxText-len(ellipsis)], "") + ellipsis
}
