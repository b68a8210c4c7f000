package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The contract has 200 and no other success. An "accepted", a part of a body, or
// a body in an encoding that nobody asked for admits nobody.
func TestOnlyA200IsASuccess(t *testing.T) {
	t.Parallel()
	encoding := func(name, value string) roundTripFunc {
		return responds(200, strings.TrimSuffix(validated, "}")+","+strings.TrimPrefix(generated, "{"), name, value)
	}
	steps := map[string]roundTripFunc{
		"br":           encoding("Content-Encoding", "br"),
		"gzip":         encoding("Content-Encoding", "gzip"),
		"of two":       encoding("Content-Encoding", "gzip, br"),
		"unknown":      encoding("Content-Encoding", "x"),
		"capitals":     encoding("Content-Encoding", "GZIP"),
		"really gzip":  responds(200, string(gzipped(t, validated)), "Content-Encoding", "gzip"),
		"first of two": func(*http.Request) (*http.Response, error) { return twoEncodings(), nil },
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
					t.Errorf("a 2xx is an *ErrorResponse: %v", response)
				}
				if s.attempts() != 1 {
					t.Errorf("%d attempts, want one", s.attempts())
				}
			})
		}
	}
}

// twoEncodings has an empty Content-Encoding header before the one that counts.
func twoEncodings() *http.Response {
	resp := response(200, validated)
	resp.Header["Content-Encoding"] = []string{"", "br"}
	return resp
}
