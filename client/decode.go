package client

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/internal/wire"
)

// decodeObject decodes the body of a 200 into a generated type. The caller checks
// the fields. decodeObject returns no error of encoding/json, because it might
// quote the body.
func decodeObject(header http.Header, body []byte, into any) error {
	switch {
	case !isJSON(header.Get("Content-Type")):
		return errors.New("the content type is not JSON")
	case len(header["Content-Encoding"]) > 0:
		return errors.New("the body has a content encoding, which the request does not accept")
	case !utf8.Valid(body): // encoding/json would replace the invalid bytes
		return errors.New("the body is not UTF-8")
	case json.Unmarshal(body, into) != nil:
		return errors.New("the body is not a JSON object")
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

// required returns an error unless the field is present exactly once, is not null,
// and has the right type. kind names that type in the error.
func required[T any](name, kind string, f *wire.Field[T]) error {
	if f.Times == 0 || f.Null {
		return errors.New(name + " is missing, null or duplicated")
	}
	return optional(name, kind, f)
}

// optional is like required, but the field may be missing or null.
func optional[T any](name, kind string, f *wire.Field[T]) error {
	switch text, _ := any(f.Value).(string); {
	case f.Times > 1:
		return errors.New(name + " is missing, null or duplicated")
	case f.Wrong:
		return errors.New(name + " must be " + kind)
	case strings.ContainsRune(text, utf8.RuneError): // encoding/json decodes lone surrogates to it
		return errors.New(name + " contains U+FFFD")
	}
	return nil
}

// parseEpoch converts a Unix time. Oneloop does not document its unit, so
// parseEpoch guesses it from the value: 1e11 is in March 1973 if it counts
// milliseconds, and in the year 5138 if it counts seconds.
func parseEpoch(field string, epoch int64) (time.Time, error) {
	t := time.Unix(epoch, 0)
	if epoch >= 1e11 {
		t = time.UnixMilli(epoch)
	}
	if epoch <= 0 || t.UTC().Year() > 9999 { // time.Time can't encode later years as JSON
		return time.Time{}, errors.New(field + " is not between 1970 and 9999")
	}
	return t.UTC(), nil
}
