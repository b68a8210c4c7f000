package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// A result is what a call makes of a 2xx: a value of the exported type T.
type result[W, T any] struct {
	fields   []string // their names in the contract, the required ones first
	required int      // how many are required
	convert  func(*W) (*T, error)
	wire     W // the generated type; its fields are pointers, nil for null
	value    *T
}

func (r *result[W, T]) parse(header http.Header, body []byte) (err error) {
	if err = decode(header, body, &r.wire, r.fields, r.required); err == nil {
		r.value, err = r.convert(&r.wire)
	}
	return err
}

// decode reads the body of a 2xx into a generated type. Errors say what is wrong
// in our words: those of encoding/json may quote the body.
func decode(header http.Header, body []byte, into any, fields []string, required int) error {
	if !isJSON(header.Get("Content-Type")) {
		return errors.New("the content type is not JSON")
	}
	if !utf8.Valid(body) {
		return errors.New("the body is not UTF-8") // encoding/json would replace bytes in silence
	}
	err := json.Unmarshal(body, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return checkNames(body, fields, required)
	case !errors.As(err, &wrong):
		return errors.New("the body is not one JSON value")
	case wrong.Field == "":
		return errors.New("the body is not a JSON object")
	default:
		return fmt.Errorf("%s does not hold a value of type %s", wrong.Field, wrong.Type)
	}
}

// checkNames wants the object that body, which is valid JSON, has at the top to
// have each field at most once, the required ones once, and spelt as in the
// contract. encoding/json would take the last of several, and "Valid" for
// "valid".
func checkNames(body []byte, fields []string, required int) error {
	var found uint64 // a bit for each field
	depth := 0
	value := false // whether the next string is one
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			depth++
			value = false
		case '}', ']':
			depth--
		case ':':
			value = true
		case ',':
			value = false
		case '"':
			start := i + 1
			for i = start; body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
			if depth != 1 || value {
				continue
			}
			name := body[start:i]
			if bytes.IndexByte(name, '\\') >= 0 {
				var unquoted string
				_ = json.Unmarshal(body[start-1:i+1], &unquoted)
				name = []byte(unquoted)
			}
			n := slices.Index(fields, string(name))
			if n < 0 {
				n = slices.IndexFunc(fields, func(field string) bool { return bytes.EqualFold(name, []byte(field)) })
				if n < 0 {
					continue
				}
				return fmt.Errorf("%s is in another spelling", fields[n])
			}
			if found&(1<<n) != 0 {
				return fmt.Errorf("%s is there twice", fields[n])
			}
			found |= 1 << n
		}
	}
	for n, want := range fields[:required] {
		if found&(1<<n) == 0 {
			return missing(want)
		}
	}
	return nil
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return mediaType == "application/json" ||
		strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

func missing(field string) error {
	return fmt.Errorf("%s is missing or null", field)
}

// parseEpoch reads an epoch number, whose unit Oneloop does not document, by its
// size: 1e11 is March 1973 in milliseconds, and the year 5138 in seconds.
func parseEpoch(field string, epoch *int64) (time.Time, error) {
	if epoch == nil {
		return time.Time{}, missing(field)
	}
	if *epoch <= 0 {
		return time.Time{}, fmt.Errorf("%s is not greater than 0", field)
	}
	t := time.Unix(*epoch, 0)
	if *epoch >= 1e11 {
		t = time.UnixMilli(*epoch)
	}
	if t = t.UTC(); t.Year() > 9999 { // RFC 3339, as which it is encoded, ends there
		return time.Time{}, fmt.Errorf("%s is after the year 9999", field)
	}
	return t, nil
}
