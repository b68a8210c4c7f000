package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// decode reads the body of a 2xx into a generated type, whose fields are
// pointers, so that the caller sees null. encoding/json refuses anything after
// the value, but takes a field's name in any case: that the required names are
// there as the contract spells them is seen in the body. Errors say what is
// wrong in our words: those of encoding/json may quote the body.
func decode(header http.Header, body []byte, into any, required []string) error {
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
		for _, name := range required {
			if !bytes.Contains(body, []byte(`"`+name+`"`)) {
				return missing(name)
			}
		}
		return nil
	case !errors.As(err, &wrong):
		return errors.New("the body is not one JSON value")
	case wrong.Field == "":
		return errors.New("the body is not a JSON object")
	default:
		return fmt.Errorf("%s does not hold a value of type %s", wrong.Field, wrong.Type)
	}
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
