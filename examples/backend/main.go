// Command backend is the backend of a dashboard, with the two uses of link tokens:
// POST /link-token responds with a link token for the customer who is signed in, and
// GET /usage accepts a link token. Its page shows who calls whom:
//
//	go run ./examples/backend -fake
//
// With -fake, it calls an in-memory fake API. Without, it calls Oneloop with the SDK
// key in ONELOOP_SDK_KEY. Set ONELOOP_BASE_URL to call another server, and
// ONELOOP_INSECURE_HTTP=1 to allow plain http to that server.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "`host:port` to listen on")
	workspace := flag.String("workspace", "workspace_1", "`id` of the workspace of link tokens")
	useFake := flag.Bool("fake", false, "call an in-memory fake API instead of Oneloop")
	flag.Parse()
	var fake *clienttest.API
	if *useFake {
		fake = clienttest.NewAPI()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	c, err := newClient(fake, os.Getenv)
	if err == nil {
		err = serve(ctx, *addr, newBackend(c, *workspace, fake), os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(1)
	}
}

// serve serves requests until ctx ends, and then waits for requests in progress.
func serve(ctx context.Context, addr string, handler http.Handler, out io.Writer) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Open http://%s/ in a browser; stop with Ctrl-C.\n", listener.Addr())
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      15 * time.Second, // more than newClient's WithTimeout
	}
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() { ended <- server.Shutdown(context.Background()) })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

func newClient(fake *clienttest.API, getenv func(string) string) (*client.Client, error) {
	opts := []client.Option{client.WithTimeout(10 * time.Second), client.WithObserver(reportAttempt)}
	if fake != nil {
		return client.New(clienttest.SDKKey, append(opts, client.WithHTTPClient(fake.HTTPClient()))...)
	}
	key := getenv("ONELOOP_SDK_KEY")
	if key == "" {
		return nil, errors.New("ONELOOP_SDK_KEY is not set; to try this without a key, use -fake")
	}
	if getenv("ONELOOP_INSECURE_HTTP") == "1" {
		opts = append(opts, client.WithInsecureHTTP())
	}
	return client.New(key, append(opts, client.WithBaseURL(cmp.Or(getenv("ONELOOP_BASE_URL"), client.DefaultBaseURL)))...)
}
