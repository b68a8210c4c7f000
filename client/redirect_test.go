package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	other := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	var location string
	var status int
	var requests atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	})
	plain, secure := serve(t, handler), serve(t, handler, withTLS)

	for name, to := range map[string]string{
		"same host":        "/api/v1/link-token/other",
		"another host":     other.URL + "/",
		"https to http":    plain.URL + "/",
		"no location":      "",
		"invalid location": "http://[::1",
		"bad escape":       "/%zz",
	} {
		for _, status = range []int{301, 302, 303, 307, 308} {
			for _, server := range []*httptest.Server{plain, secure} {
				for _, op := range operations {
					t.Run(fmt.Sprintf("%s/%d/%s/%s", op.name, status, name, server.URL[:5]), func(t *testing.T) {
						location = to
						requests.Store(0)
						hc := *server.Client()
						hc.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
						_, err := op.call(t.Context(), newClient(t, client.WithBaseURL(server.URL), client.WithHTTPClient(&hc)))
						if e := asResponse(t, err); e.StatusCode != status || e.Attempts != 1 {
							t.Errorf("got %v after %d attempts", e, e.Attempts)
						}
						if requests.Load() != 1 || elsewhere.Load() != 0 {
							t.Errorf("%d requests, and %d to the other host, want 1 and 0", requests.Load(), elsewhere.Load())
						}
					})
				}
			}
		}
	}
}
