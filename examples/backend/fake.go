package main

import (
	"net/http"
	"time"

	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// control returns the handler of POST /fake/{control}, which changes the fake API.
func control(api *clienttest.API) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		switch r.PathValue("control") {
		case "revoke":
			api.Revoke(r.PostFormValue("token"))
		case "expire":
			api.Expire(r.PostFormValue("token"))
		case "works":
			api.ClearFaults()
			api.SetSDKKey(clienttest.SDKKey)
		case "outage":
			api.Queue(clienttest.Status(http.StatusServiceUnavailable).Always())
		case "slow":
			api.Queue(clienttest.Delay(2 * time.Second).Always())
		case "wrong-key":
			api.SetSDKKey("another key")
		}
	}
}
