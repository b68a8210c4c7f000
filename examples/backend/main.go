// Command backend is a web backend that exchanges link tokens for sessions. It serves
// a page that shows the requests between browser, backend and Oneloop:
//
//	go run ./examples/backend -fake
//
// With -fake, it calls a fake API in its own process and needs no key. Without, it
// calls Oneloop with the SDK key in ONELOOP_SDK_KEY. Set ONELOOP_BASE_URL to call
// another server, and ONELOOP_INSECURE_HTTP=1 to allow plain http to that server.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
	"github.com/oneloop-ai/oneloop-go/internal/fakeserver"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("backend", flag.ContinueOnError)
	addr := flags.String("addr", "localhost:8080", "`host:port` to listen on")
	useFake := flags.Bool("fake", false, "call a fake API in this process instead of Oneloop")
	flags.SetOutput(io.Discard) // main prints the error on one line
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(out)
			flags.Usage()
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

	var fake *fakeserver.Server
	if *useFake {
		fake = fakeserver.New(clienttest.SDKKey, 15*time.Minute)
	}
	c, err := newClient(fake, getenv, out)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Open http://%s/ in a browser; stop with Ctrl-C.\n", listener.Addr())
	return serve(ctx, listener, newBackend(c, fake, slog.Default()))
}

func newClient(fake *fakeserver.Server, getenv func(string) string, out io.Writer) (*client.Client, error) {
	opts := []client.Option{
		client.WithTimeout(10 * time.Second), // less than the server's WriteTimeout
		client.WithObserver(reportAttempt),
	}
	if fake != nil {
		fmt.Fprintln(out, "Calling a fake API in this process because of -fake. ONELOOP_SDK_KEY is not used.")
		return client.New(clienttest.SDKKey, append(opts, client.WithHTTPClient(&http.Client{Transport: fake}))...)
	}
	key := getenv("ONELOOP_SDK_KEY")
	if key == "" {
		return nil, errors.New("ONELOOP_SDK_KEY is not set; to try this without a key, use -fake")
	}
	baseURL := cmp.Or(getenv("ONELOOP_BASE_URL"), client.DefaultBaseURL)
	opts = append(opts, client.WithBaseURL(baseURL))
	if getenv("ONELOOP_INSECURE_HTTP") == "1" {
		opts = append(opts, client.WithInsecureHTTP())
	}
	c, err := client.New(key, opts...)
	if err == nil { // a URL that New refuses may contain a password
		fmt.Fprintln(out, "Calling", baseURL)
	}
	return c, err
}

// serve serves requests until ctx ends, and then waits for requests in progress.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second) // more than WriteTimeout
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close()
		return fmt.Errorf("shutdown: %w", err)
	}
	return nil
}
