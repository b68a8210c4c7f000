package client

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// A failure is an error whose text is safe to show. errors.Is and errors.As search
// its cause. There is no Unwrap method, because the cause may print a secret.
type failure struct {
	text  string
	cause error
}

func (e *failure) Error() string        { return e.text }
func (e *failure) Is(target error) bool { return errors.Is(e.cause, target) }
func (e *failure) As(target any) bool   { return errors.As(e.cause, target) }

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

const bearer = "Bearer "

// secrets are the values that must not appear in the texts of a call: the SDK key, as
// the Authorization header that each attempt sends, and the link token.
type secrets struct{ authorization, linkToken string }

// redact replaces the secrets in text, verbatim and as escaped in a URL path or query.
func (s secrets) redact(text string) string {
	first, second := strings.TrimPrefix(s.authorization, bearer), s.linkToken
	if len(first) < len(second) { // the longer one first: it may contain the other
		first, second = second, first
	}
	for _, secret := range []string{first, second} {
		if len(secret) >= minSecret {
			text = strings.NewReplacer(url.PathEscape(secret), redacted, url.QueryEscape(secret), redacted, secret, redacted).Replace(text)
		}
	}
	return text
}

// clean returns text on one short line and without the secrets.
func (s secrets) clean(text string) string { return limit(s.redact(oneLine(text))) }

// sanitize returns an error for err, from a transport, with a text that is safe to
// show. net/http quotes what it can't parse of a response, which may be a new link
// token. Go 1.25 has two such texts, "… line: ", without quotation marks.
func (s secrets) sanitize(err error) error {
	text, _, _ := strings.Cut(err.Error(), `"`)
	text, _, _ = strings.Cut(text, " line: ")
	return &failure{text: s.clean(strings.TrimSpace(text)), cause: err}
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
