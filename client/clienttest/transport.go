package clienttest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
)

// RoundTrip implements http.RoundTripper: it responds to req without a socket.
func (a *API) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	resp, err := a.serve(req)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for name, values := range resp.header {
		if len(values) > 0 {
			header[name] = slices.Clone(values)
		}
	}
	return &http.Response{
		Status:        strconv.Itoa(resp.status) + " " + http.StatusText(resp.status),
		StatusCode:    resp.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(resp.body)),
		ContentLength: int64(len(resp.body)),
		Request:       req,
	}, nil
}

// ServeHTTP implements http.Handler. httptest.NewServer(a) puts a on a socket.
//
// A fault that ends the connection closes it. Where that is impossible, over
// HTTP/2 and into an httptest.ResponseRecorder, ServeHTTP panics with
// http.ErrAbortHandler, as net/http asks of handlers.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp, err := a.serve(r)
	if err != nil {
		cut(w, r)
		return
	}
	for name, values := range resp.header {
		w.Header()[name] = slices.Clone(values)
	}
	w.WriteHeader(resp.status)
	_, _ = w.Write(resp.body)
}

// cut closes the connection. If it sent nothing at all, net/http's client would
// send a GET on a kept-alive connection again, so that a GET's ends within the
// status line, before the status.
func cut(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // which net/http does not log
	}
	if r.Method != http.MethodPost {
		_, _ = io.WriteString(conn, "HTTP/1.1 ")
	}
	_ = conn.Close()
}
