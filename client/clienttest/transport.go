package clienttest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// RoundTrip implements http.RoundTripper: it answers req without a socket.
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

// ServeHTTP implements http.Handler. httptest.NewServer(a) puts a on a socket.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said, err := a.serve(r)
	if err != nil {
		cut(w)
		return
	}
	for name, values := range said.header {
		w.Header()[name] = values
	}
	w.WriteHeader(said.status)
	_, _ = w.Write(said.body)
}

// cut ends the connection in the header of an answer: where nothing of an answer has
// come, net/http sends a GET again by itself.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2
		panic(http.ErrAbortHandler) // which net/http does not log
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
	_ = conn.Close()
}
