package main

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"regexp"
	"time"
)

// A background is an io.Writer that never blocks: a goroutine writes to another
// io.Writer. It drops what it is given while 1,000 writes are waiting.
type background chan []byte

func newBackground(to io.Writer) background {
	b := make(background, 1000)
	go func() {
		for p := range b {
			_, _ = to.Write(p) // fails if the reader has closed it
		}
	}()
	return b
}

func (b background) Write(p []byte) (int, error) {
	select {
	case b <- bytes.Clone(p):
	default:
	}
	return len(p), nil
}

// secret matches the part of a path that may be a link token.
var secret = regexp.MustCompile(`(link-token/|lt_).*`)

// logged logs each request with its status, which is 000 if the connection ended
// without one.
func logged(next http.Handler, to *log.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec, start := &recorder{ResponseWriter: w}, time.Now()
		next.ServeHTTP(rec, r)
		path := secret.ReplaceAllString(r.URL.EscapedPath(), "${1}…")
		to.Printf("%s %s %03d %v", r.Method, path, rec.status, time.Since(start).Round(time.Microsecond))
	})
}

// A recorder records the status of a response.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets a fault cut the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
