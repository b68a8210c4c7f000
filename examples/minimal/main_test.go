package main

import (
	"net/http"
	"os"
	"time"

	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func Example() {
	standard := http.DefaultTransport
	defer func() { http.DefaultTransport = standard }()
	http.DefaultTransport = clienttest.NewAPI(clienttest.WithClock(func() time.Time { return time.Unix(1893456000, 0) }))
	if err := os.Setenv("ONELOOP_SDK_KEY", clienttest.SDKKey); err != nil {
		panic(err)
	}
	main()
	// Output:
	// The link token expires at 2030-01-01 00:15:00 +0000 UTC
	// true customer_1 workspace_1
}
