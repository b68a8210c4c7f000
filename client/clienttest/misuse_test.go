package clienttest_test

import (
	"testing"

	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func TestMisusePanics(t *testing.T) {
	api := clienttest.NewAPI()
	for name, test := range map[string]struct {
		misuse func()
		want   string
	}{
		"nil option":           {func() { clienttest.NewAPI(clienttest.WithSDKKey("sdk_1"), nil) }, "clienttest: NewAPI: nil Option"},
		"nil clock":            {func() { clienttest.WithClock(nil) }, "clienttest: WithClock: nil function"},
		"status 0":             {func() { clienttest.Response(0, nil, "") }, "clienttest: status 0 is not from 200 to 599"},
		"status 199":           {func() { clienttest.Status(199) }, "clienttest: status 199 is not from 200 to 599"},
		"status 600":           {func() { clienttest.StatusRetryAfter(600, 0) }, "clienttest: status 600 is not from 200 to 599"},
		"negative delay":       {func() { clienttest.Delay(-1) }, "clienttest: Delay: negative duration -1ns"},
		"no operation":         {func() { clienttest.Cut().On("") }, `clienttest: On: unknown operation ""`},
		"operation's method":   {func() { clienttest.Cut().On("ValidateLinkToken") }, `clienttest: On: unknown operation "ValidateLinkToken"`},
		"zero Fault":           {func() { api.Queue(clienttest.Cut(), clienttest.Fault{}) }, "clienttest: Queue: zero Fault"},
		"zero Fault, modified": {func() { api.Queue(clienttest.Fault{}.On("validateLinkToken").Always()) }, "clienttest: Queue: zero Fault"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := recover(); got != test.want {
					t.Errorf("got panic %v, want %q", got, test.want)
				}
			}()
			test.misuse()
		})
	}
	mustGenerate(t, newClient(t, api, once)) // nothing was queued
}
