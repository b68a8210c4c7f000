// Package fakeserver adds HTTP control endpoints to the fake API of package
// clienttest, for tests and front ends that are not written in Go.
package fakeserver

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// usage is the response to GET /.
//
//go:embed usage.txt
var usage string

// A Server is the fake API with its control endpoints. As an http.Handler, it serves
// both. As an http.RoundTripper, it is only the API, in memory. A program that uses
// it in this way can also serve the control endpoints:
//
//	mux.Handle("/_fake/", server)
//
// A Server is safe for concurrent use.
type Server struct {
	key      string
	lifetime time.Duration
	api      atomic.Pointer[clienttest.API] // a reset replaces it
}

// New returns a Server that accepts the SDK key key. Its link tokens live for
// lifetime.
func New(key string, lifetime time.Duration) *Server {
	s := &Server{key: key, lifetime: lifetime}
	s.reset()
	return s
}

func (s *Server) reset() {
	s.api.Store(clienttest.NewAPI(clienttest.WithSDKKey(s.key), clienttest.WithLifetime(s.lifetime)))
}

// RoundTrip implements http.RoundTripper. It sends requests to the API, whatever
// their host.
func (s *Server) RoundTrip(req *http.Request) (*http.Response, error) {
	return s.api.Load().RoundTrip(req)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/_fake/"):
		s.control(w, r)
	case r.URL.Path == "/healthz":
		writeText(w, "ok\n")
	case r.URL.Path == "/":
		writeText(w, strings.NewReplacer("{base}", "http://"+r.Host, "{key}", s.key).Replace(usage))
	default:
		s.api.Load().ServeHTTP(w, r)
	}
}

// control serves the control endpoints.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	api := s.api.Load()
	status, err := http.StatusBadRequest, error(nil)
	switch endpoint := r.Method + " " + r.URL.Path; endpoint {
	case "POST /_fake/advance":
		var by duration
		if err = decode(r.Body, "by", fields{"by": &by}); err == nil {
			api.Advance(time.Duration(by))
		}
	case "POST /_fake/expire", "POST /_fake/revoke":
		end := map[string]func(string) bool{"POST /_fake/expire": api.Expire, "POST /_fake/revoke": api.Revoke}[endpoint]
		var token string
		if err = decode(r.Body, "token", fields{"token": &token}); err == nil && !end(token) {
			status, err = http.StatusNotFound, errors.New("unknown link token")
		}
	case "POST /_fake/faults":
		err = queueFaults(api, r.Body)
	case "DELETE /_fake/faults":
		api.ClearFaults()
	case "PUT /_fake/key":
		var key string
		if err = decode(r.Body, "key", fields{"key": &key}); err == nil {
			api.SetSDKKey(key)
		}
	case "GET /_fake/requests":
		all := api.Requests()
		// A nil slice would be encoded as null.
		writeJSON(w, http.StatusOK, append([]clienttest.Request{}, all[max(0, len(all)-10_000):]...))
		return
	case "POST /_fake/reset":
		s.reset()
	default:
		status, err = http.StatusNotFound, fmt.Errorf("unknown endpoint %s; GET / on fakeapi lists the endpoints", endpoint)
	}
	if err != nil { // use the API's error format
		writeJSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": err.Error()}})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// fields maps the names of JSON fields to pointers that they are decoded into.
type fields map[string]any

// decode reads a JSON object into to. The object must have the field required, and
// no fields that are not in to. A field that is null counts as missing.
func decode(from io.Reader, required string, to fields) error {
	data, err := io.ReadAll(io.LimitReader(from, 64<<10))
	var object map[string]json.RawMessage
	if err != nil || json.Unmarshal(data, &object) != nil {
		return errors.New("the body must be a JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if to[name] == nil {
			return fmt.Errorf("unknown field %q", name)
		}
		if json.Unmarshal(object[name], to[name]) != nil {
			return fmt.Errorf("invalid value for %s: %s", name, object[name])
		}
	}
	if raw := string(object[required]); raw == "" || raw == "null" {
		return fmt.Errorf("%s is missing", required)
	}
	return nil
}

// A duration is a time.Duration in Go's notation, such as "1h30m".
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has disconnected
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, text)
}
