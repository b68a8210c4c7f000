package main

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

// A server is the fake API with its control endpoints.
type server struct {
	key      string
	lifetime time.Duration
	api      atomic.Pointer[clienttest.API] // a reset replaces it
}

// newServer returns a server that accepts the SDK key key. Its link tokens live for
// lifetime.
func newServer(key string, lifetime time.Duration) *server {
	s := &server{key: key, lifetime: lifetime}
	s.reset()
	return s
}

func (s *server) reset() {
	s.api.Store(clienttest.NewAPI(clienttest.WithSDKKey(s.key), clienttest.WithLifetime(s.lifetime)))
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/_fake/"):
		s.control(w, r)
	case r.URL.Path == "/healthz":
		writeText(w, "ok\n")
	case r.URL.Path == "/":
		writeText(w, strings.NewReplacer("{base}", "http://"+r.Host, "{key}", quote(s.key),
			"'Authorization: Bearer {key}'", quote("Authorization: Bearer "+s.key)).Replace(usage))
	default:
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10) // the API keeps what it receives
		s.api.Load().ServeHTTP(w, r)
	}
}

// control serves the control endpoints.
func (s *server) control(w http.ResponseWriter, r *http.Request) {
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
		// A nil slice would be encoded as null.
		writeJSON(w, http.StatusOK, append([]clienttest.Request{}, api.Requests()...))
		return
	case "POST /_fake/reset":
		s.reset()
	default:
		status, err = http.StatusNotFound, fmt.Errorf("unknown endpoint %s; GET / on fakeapi lists the endpoints", endpoint)
	}
	if err != nil {
		writeError(w, status, err.Error())
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

// writeError writes an error in the API's format.
func writeError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]any{"code": status, "message": message}})
}

func writeText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, text)
}
