package clienttest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// A response is the same in memory and on a socket.
type response struct {
	status int
	header http.Header // canonical names; an empty value keeps net/http from adding a header
	body   []byte
}

// newResponse copies header. The Content-Length is the body's, whatever header says.
func newResponse(status int, header http.Header, body []byte) response {
	r := response{status, http.Header{}, body}
	for _, name := range slices.Sorted(maps.Keys(header)) {
		canonical := http.CanonicalHeaderKey(name)
		r.header[canonical] = append(r.header[canonical], header[name]...)
	}
	if _, ok := r.header["Content-Type"]; !ok {
		r.header.Set("Content-Type", "application/json")
	}
	r.header.Del("Transfer-Encoding")
	r.header.Del("Content-Length")
	if status == http.StatusNoContent || status == http.StatusNotModified {
		r.body = nil
	} else {
		r.header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	return r
}

func jsonResponse(status int, body any) response {
	encoded, _ := json.Marshal(body) // of this package's types: it can't fail
	return newResponse(status, nil, encoded)
}

// errorResponse has the contract's error shape. The code and the wording of the
// message are the fake's choice.
func errorResponse(status int, message string) response {
	type detail struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	return jsonResponse(status, struct {
		Error detail `json:"error"`
	}{detail{status, message}})
}

// misuseResponse tells a test what it did wrong, with a status that package client
// doesn't retry.
func misuseResponse(what string) response {
	return errorResponse(http.StatusNotImplemented, "clienttest: "+what)
}
