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

// decodeObject decodes the JSON object in a 200 into a generated type, whose
// fields remain to be checked. Errors of encoding/json may quote the body, so none
// is returned.
func decodeObject(header http.Header, body []byte, into any) error {
	switch {
	case !isJSON(header.Get("Content-Type")):
		return errors.New("the content type is not JSON")
	case len(header["Content-Encoding"]) > 0:
		return errors.New("the body has a content encoding, which the request does not accept")
	case !utf8.Valid(body): // encoding/json would replace bytes
		return errors.New("the body is not UTF-8")
	case json.Unmarshal(body, into) != nil:
		return errors.New("the body is not a JSON object")
	}
	return nil
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true // without parsing
	}
	mediaType, _, _ := mime.ParseMediaType(contentType)
	return mediaType == "application/json" ||
		strings.HasPrefix(mediaType, "application/") && strings.HasSuffix(mediaType, "+json")
}

// required returns an error unless the response has the field once, not null, and
// with a value of its type, which kind names.
func required[T any](name, kind string, f *wire.Field[T]) error {
	if f.Times == 0 || f.Null {
		return errors.New(name + " is missing, null or duplicated")
	}
	return optional(name, kind, f)
}

// optional is required for a field that may also be missing or null.
func optional[T any](name, kind string, f *wire.Field[T]) error {
	switch text, _ := any(f.Value).(string); {
	case f.Times > 1:
		return errors.New(name + " is missing, null or duplicated")
	case f.Wrong:
		return errors.New(name + " must be " + kind)
	case strings.ContainsRune(text, utf8.RuneError): // as encoding/json decodes half of a surrogate pair
		return errors.New(name + " contains U+FFFD")
	}
	return nil
}

// parseEpoch converts an epoch number, whose unit Oneloop does not document, by
// its size: 1e11 is March 1973 in milliseconds, and the year 5138 in seconds.
func parseEpoch(field string, epoch int64) (time.Time, error) {
	t := time.Unix(epoch, 0)
	if epoch >= 1e11 {
		t = time.UnixMilli(epoch)
	}
	if epoch <= 0 || t.UTC().Year() > 9999 { // where RFC 3339 ends, in which it is encoded as JSON
		return time.Time{}, errors.New(field + " is not between 1970 and 9999")
	}
	return t.UTC(), nil
}
