package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// In the contract, 200 is the only successful status. Any other 2xx is malformed, and
// so is a 200 with a content encoding.
func TestOther2xxAndEncodings(t *testing.T) {
	t.Parallel()
	encoding := func(name, value string) roundTripFunc {
		return responds(200, strings.TrimSuffix(validated, "}")+","+strings.TrimPrefix(generated, "{"), name, value)
	}
	steps := map[string]roundTripFunc{
		"br":           encoding("Content-Encoding", "br"),
		"gzip":         encoding("Content-Encoding", "gzip"),
		"two":          encoding("Content-Encoding", "gzip, br"),
		"unknown":      encoding("Content-Encoding", "x"),
		"uppercase":    encoding("Content-Encoding", "GZIP"),
		"gzipped body": responds(200, string(gzipped(t, validated)), "Content-Encoding", "gzip"),
		"two headers":  func(*http.Request) (*http.Response, error) { return twoEncodings(), nil },
	}
	for _, status := range []int{201, 202, 203, 204, 205, 206, 207, 208, 226, 299} {
		for _, op := range operations {
			steps[fmt.Sprint(status, " ", op.name)] = responds(status, op.ok)
		}
	}
	for name, step := range steps {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				s := newScript(step)
				got, err := op.call(t.Context(), newClient(t, via(s), quick))
				if got != nil || !errors.Is(err, client.ErrMalformedResponse) {
					t.Errorf("got %+v, %v, want ErrMalformedResponse", got, err)
				}
				var response *client.ErrorResponse
				if errors.As(err, &response) {
					t.Errorf("got *ErrorResponse %v for a 2xx", response)
				}
				if s.attempts() != 1 {
					t.Errorf("%d attempts, want 1", s.attempts())
				}
			})
		}
	}
}

// twoEncodings returns a response with two Content-Encoding headers, of which the
// first is empty.
func twoEncodings() *http.Response {
	resp := response(200, validated)
	resp.Header["Content-Encoding"] = []string{"", "br"}
	return resp
}
