package clienttest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// RoundTrip answers req in the caller's goroutine, without a socket.
func (a *API) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	said, err := a.serve(req)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status:        strconv.Itoa(said.status) + " " + http.StatusText(said.status),
		StatusCode:    said.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        said.header.Clone(),
		Body:          io.NopCloser(bytes.NewReader(said.body)),
		ContentLength: int64(len(said.body)),
		Request:       req,
	}, nil
}

// ServeHTTP answers on a socket: httptest.NewServer(api). A connection that a
// fault cuts ends as net/http ends it for http.ErrAbortHandler, without a log.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said, err := a.serve(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	for name, values := range said.header {
		w.Header()[name] = values
	}
	w.WriteHeader(said.status)
	_, _ = w.Write(said.body)
}
