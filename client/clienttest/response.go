package clienttest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A response is a response of the API, in memory or on a socket.
type response struct {
	status int
	header http.Header // with canonical names; net/http adds no header that is present without a value
	body   []byte
}

// newResponse copies header. It sets Content-Length to the length of the body, even
// if header has another value.
func newResponse(status int, header http.Header, body []byte) response {
	r := response{status, http.Header{}, body}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		canonical := http.CanonicalHeaderKey(name)
		r.header[canonical] = append(r.header[canonical], header[name]...)
	}
	for _, values := range r.header {
		for i, value := range values { // as net/http writes it
			values[i] = strings.TrimSpace(lineBreaks.Replace(value))
		}
	}
	if _, ok := r.header["Content-Type"]; !ok {
		r.header.Set("Content-Type", "application/json")
	}
	r.header.Del("Transfer-Encoding")
	r.header.Del("Content-Length")
	switch status {
	case http.StatusNotModified:
		r.header.Del("Content-Type")
		fallthrough
	case http.StatusNoContent:
		r.body = nil
	default:
		r.header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	return r
}

var lineBreaks = strings.NewReplacer("\r", " ", "\n", " ")

func jsonResponse(status int, body any) response {
	encoded, _ := json.Marshal(body) // can't fail for the types of this package
	return newResponse(status, nil, encoded)
}

// errorResponse returns a response in the API's error format. Oneloop documents
// neither its codes nor its messages, so these are the fake's own.
func errorResponse(status int, message string) response {
	type detail struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	return jsonResponse(status, struct {
		Error detail `json:"error"`
	}{detail{status, message}})
}
