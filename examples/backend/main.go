// Command backend is a web backend that gives its front end a link token for
// the signed-in customer, and admits requests by link token.
//
// With ONELOOP_SDK_KEY in the environment it calls Oneloop (ONELOOP_BASE_URL
// overrides where); without, it runs against the fake API in its own process.
package main

import (
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
	flags.SetOutput(io.Discard) // main prints the error, in one line
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

	c, err := newClient(getenv, out)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Open http://%s/ in a browser; stop with Ctrl-C.\n", listener.Addr())
	return serve(ctx, listener, newBackend(c, slog.Default()))
}

func newClient(getenv func(string) string, out io.Writer) (*client.Client, error) {
	timeout := client.WithTimeout(10 * time.Second) // less than the server's WriteTimeout
	key := getenv("ONELOOP_SDK_KEY")
	if key == "" {
		fmt.Fprintln(out, "ONELOOP_SDK_KEY is not set: using the fake API in this process.")
		return client.New(clienttest.SDKKey, timeout, client.WithHTTPClient(clienttest.NewAPI().HTTPClient()))
	}
	baseURL := client.DefaultBaseURL
	if override := getenv("ONELOOP_BASE_URL"); override != "" {
		baseURL = override
	}
	c, err := client.New(key, timeout, client.WithBaseURL(baseURL))
	if err == nil { // a URL that New refuses may hold a password
		fmt.Fprintln(out, "Calling", baseURL)
	}
	return c, err
}

// serve answers on listener until ctx ends, then lets requests in flight finish.
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
