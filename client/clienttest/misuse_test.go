package clienttest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func TestMisuse(t *testing.T) {
	clock := func(now time.Time) clienttest.Option { return clienttest.WithClock(func() time.Time { return now }) }
	for name, test := range map[string]struct {
		api  *clienttest.API
		want string
	}{
		"WithClock(nil)": {clienttest.NewAPI(clienttest.WithClock(nil)), "clienttest: WithClock was given nil"},
		"before 1970":    {clienttest.NewAPI(clock(time.Unix(-1e9, 0))), "clienttest: a link token would expire before 1970 or after 9999"},
		"after 9999":     {clienttest.NewAPI(clock(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))), "clienttest: a link token would expire before 1970 or after 9999"},
		"nil option":     {clienttest.NewAPI(nil), "clienttest: NewAPI was given a nil Option"},
		"zero API":       {new(clienttest.API), "clienttest: the API was not made with NewAPI"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, test.api, once).GenerateLinkToken(t.Context(), request)
			var e *client.ErrorResponse
			if !errors.As(err, &e) || e.StatusCode != 501 || e.Message != test.want {
				t.Errorf("got %v, want 501 with %q", err, test.want)
			}
			if test.api.Expire("lt_1") || test.api.Revoke("lt_1") {
				t.Error("Expire or Revoke returned true for an unknown token")
			}
		})
	}
}
