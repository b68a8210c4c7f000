package main

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func TestErrors(t *testing.T) {
	tests := map[string]struct {
		linkToken string
		faults    []clienttest.Fault
		ended     bool // whether the context has ended
		call      string
		attempts  []string
	}{
		"unknown link token": {
			linkToken: "unknown",
			call:      "400",
			attempts:  []string{"400"},
		},
		"redirect": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Response(302, nil, "")},
			call:      "302",
			attempts:  []string{"302"},
		},
		"400 after a retry": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Status(500)},
			call:      "400",
			attempts:  []string{"500", "400"},
		},
		"connection cut": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Cut(), clienttest.Cut(), clienttest.Cut()},
			call:      "connection",
			attempts:  []string{"connection", "connection", "connection"},
		},
		"attempt timeout": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Silence(), clienttest.Silence(), clienttest.Silence()},
			call:      "timeout",
			attempts:  []string{"timeout", "timeout", "timeout"},
		},
		"malformed": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Response(200, nil, "{}")},
			call:      "malformed_response",
			attempts:  []string{"malformed_response"},
		},
		"canceled": {
			linkToken: "unknown",
			ended:     true,
			call:      "canceled",
		},
		"rejected argument": {
			linkToken: "",
			call:      "invalid_link_token",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := clienttest.NewAPI()
				api.Queue(test.faults...)
				r := newRecorded(t, clienttest.SDKKey, client.DefaultBaseURL, api)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.ended {
					cancel()
				}
				if _, err := r.ValidateLinkToken(ctx, test.linkToken); err == nil {
					t.Fatal("the call succeeded")
				}
				calls, attempts := r.split()
				if got := classes(t, calls); !slices.Equal(got, []string{test.call}) {
					t.Errorf("call: got error.type %q, want %q", got, test.call)
				}
				if got := classes(t, attempts); !slices.Equal(got, test.attempts) {
					t.Errorf("attempts: got error.type %q, want %q", got, test.attempts)
				}
			})
		})
	}
}

// TestAttemptError checks that an attempt is an error only if its Err is not nil.
func TestAttemptError(t *testing.T) {
	for name, test := range map[string]struct {
		attempt client.Attempt
		want    string
	}{
		"success":         {client.Attempt{StatusCode: 200}, ""},
		"error status":    {client.Attempt{StatusCode: 500, Err: &client.ErrorResponse{StatusCode: 500}}, "500"},
		"truncated 2xx":   {client.Attempt{StatusCode: 200, Err: io.ErrUnexpectedEOF}, "connection"},
		"any other error": {client.Attempt{Err: errors.New("customer_1 has no luck")}, "_OTHER"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorded(t, clienttest.SDKKey, client.DefaultBaseURL, nil)
			test.attempt.Operation = validate
			r.observe(t.Context(), test.attempt)
			_, attempts := r.split()
			if got := classes(t, attempts); !slices.Equal(got, []string{test.want}) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestErrorType has errors of several classes, in the order of the README's table.
func TestErrorType(t *testing.T) {
	response := func(status int) error { return &client.ErrorResponse{StatusCode: status} }
	inOrder := []struct {
		err  error
		want string
	}{
		{client.ErrInvalidLinkToken, "invalid_link_token"},
		{client.ErrInvalidArgument, "invalid_argument"},
		{response(400), "400"},
		{context.Canceled, "canceled"},
		{context.DeadlineExceeded, "timeout"},
		{response(503), "503"},
		{client.ErrMalformedResponse, "malformed_response"},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "timeout"},
		{io.ErrUnexpectedEOF, "connection"},
		{errors.New("customer_1 has no luck"), "_OTHER"},
	}
	for i, first := range inOrder {
		for _, later := range inOrder[i:] {
			for _, err := range []error{first.err, errors.Join(first.err, later.err), errors.Join(later.err, first.err)} {
				if got := errorType(err); got != first.want {
					t.Errorf("%q: got %s, want %s", err, got, first.want)
				}
			}
		}
	}
}
