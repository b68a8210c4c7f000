package clienttest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strconv"
)

// RoundTrip implements [http.RoundTripper]. It responds to req without a socket.
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

// ServeHTTP implements [http.Handler]. Use httptest.NewServer(a) to serve a on a
// socket.
//
// If a fault cuts the connection, ServeHTTP closes it. For a GET, it first sends the
// beginning of a status line, so that net/http's client does not send the request
// again but reports a malformed status. Closing is not possible over HTTP/2 or with an
// httptest.ResponseRecorder. ServeHTTP then panics with [http.ErrAbortHandler], which
// is net/http's way to abort a response.
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

// cut closes the connection. If a reused connection ends without a single byte,
// net/http's client would resend a GET.
func cut(w http.ResponseWriter, r *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http does not log it
	}
	if r.Method != http.MethodPost {
		_, _ = io.WriteString(conn, "HTTP/1.1 ")
	}
	_ = conn.Close()
}
