// Package wire decodes JSON responses as strictly as an API description demands.
// Package encoding/json alone accepts fields that are missing, null or duplicated.
package wire

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Decode decodes the body of a response into a generated type and checks it. The
// errors never quote the body.
func Decode(header http.Header, body []byte, into interface{ Check() error }) error {
	encoding := strings.Join(header["Content-Encoding"], ",")
	switch {
	case !isJSON(header.Get("Content-Type")):
		return errors.New("the content type is not JSON")
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return errors.New("the body has a content encoding, which the request does not accept")
	case !utf8.Valid(body): // encoding/json would replace the invalid bytes
		return errors.New("the body is not UTF-8")
	case json.Unmarshal(body, into) != nil:
		return errors.New("the body is not a JSON object")
	}
	if err := into.Check(); err != nil {
		return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nil
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true // the usual case: avoids parsing
	}
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return mediaType == "application/json" ||
		strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

// A Field is a field of a JSON object. It records how the field occurred, for Check.
type Field[T any] struct {
	Value T
	times int  // the number of occurrences, in any letter case
	null  bool // whether an occurrence was null
	wrong bool // whether an occurrence had the wrong type
}

// UnmarshalJSON always returns nil, because only Check can name the field in an
// error. It decodes simple values itself, because json.Unmarshal is slow for them.
func (f *Field[T]) UnmarshalJSON(data []byte) error {
	f.times++
	f.null = f.null || data[0] == 'n'
	err := strconv.ErrSyntax
	switch value := any(&f.Value).(type) {
	case *int64:
		*value, err = strconv.ParseInt(string(data), 10, 64)
	case *string: // Unquote fails if encoding/json would decode the string differently
		*value, err = strconv.Unquote(string(data))
	case *bool:
		if *value = string(data) == "true"; *value || string(data) == "false" {
			err = nil
		}
	}
	f.wrong = f.wrong || err != nil && json.Unmarshal(data, &f.Value) != nil
	return nil
}

// Check returns an error that names the field unless it occurred once, with a value
// of its type. Unless it is required, the field may also be missing or null.
func (f *Field[T]) Check(name string, required bool) error {
	text, isString := any(f.Value).(string)
	_, isBool := any(f.Value).(bool)
	switch {
	case f.times > 1, required && (f.times == 0 || f.null):
		return errors.New(name + " is missing, null or duplicated")
	case f.wrong && isString:
		return errors.New(name + " must be a string")
	case f.wrong && isBool:
		return errors.New(name + " must be a boolean")
	case f.wrong:
		return errors.New(name + " must be an integer")
	case strings.ContainsRune(text, utf8.RuneError): // encoding/json decodes lone surrogates to it
		return errors.New(name + " contains invalid Unicode (U+FFFD)")
	}
	return nil
}

// CheckAbove returns an error that names the field if it has a value that is not
// greater than minimum.
func CheckAbove(name string, f *Field[int64], minimum int64) error {
	if f.times > 0 && !f.null && !f.wrong && f.Value <= minimum {
		return errors.New(name + " must be greater than " + strconv.FormatInt(minimum, 10))
	}
	return nil
}
