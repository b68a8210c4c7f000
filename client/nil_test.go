package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A nil or zero Client is a bug in the program. A backend must not take its error for
// an invalid link token and respond with 401.
func TestNilMatchesNoSentinel(t *testing.T) {
	t.Parallel()
	var none context.Context
	s := newScript(responds(200, validated))
	good := newClient(t, via(s))
	for name, test := range map[string]struct {
		ctx    context.Context
		client *client.Client
	}{
		"nil Client":                  {t.Context(), nil},
		"zero Client":                 {t.Context(), new(client.Client)},
		"nil context":                 {none, good},
		"nil Client and nil context":  {none, nil},
		"zero Client and nil context": {none, new(client.Client)},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				got, err := op.call(test.ctx, test.client)
				if err == nil || got != nil {
					t.Fatalf("got %v, %v, want an error", got, err)
				}
				for _, sentinel := range []error{
					client.ErrInvalidArgument, client.ErrMalformedResponse, client.ErrBadRequest, client.ErrUnauthorized, client.ErrForbidden,
					client.ErrRateLimited, client.ErrServer, context.Canceled, context.DeadlineExceeded,
				} {
					if errors.Is(err, sentinel) {
						t.Errorf("%q matches %q", err, sentinel)
					}
				}
				var response *client.ErrorResponse
				if errors.As(err, &response) {
					t.Errorf("%q is an *ErrorResponse", err)
				}
				if !strings.HasPrefix(err.Error(), "oneloop: "+op.name+": ") {
					t.Errorf("%q doesn't name the operation", err)
				}
			})
		}
	}
	if s.attempts() != 0 {
		t.Errorf("%d requests were sent without a context", s.attempts())
	}
}

func TestCloseIdleConnectionsNil(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]*client.Client{"nil": nil, "zero": new(client.Client)} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != nil {
					t.Errorf("CloseIdleConnections panicked: %v", got)
				}
			}()
			c.CloseIdleConnections()
		})
	}
}
