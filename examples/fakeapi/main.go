// Command fakeapi is a standalone fake of the Oneloop API, for front ends and
// end-to-end tests in any language:
//
//	go install github.com/oneloop-ai/oneloop-go/examples/fakeapi@latest
//	fakeapi -addr 127.0.0.1:8090 -key sdk_test -lifetime 15m
//
// It prints two lines that a shell can evaluate:
//
//	ONELOOP_BASE_URL=http://127.0.0.1:8090
//	ONELOOP_SDK_KEY=sdk_test
//
// With -v, it logs requests to standard error. GET / explains its control endpoints.
//
// In scripts, run the installed command rather than "go run": killing "go run" leaves
// the fake running on its port.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // a write to an output that was closed would end the process
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		log.New(os.Stderr, "fakeapi: ", 0).Fatal(err)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("fakeapi", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8090", "`host:port` to listen on; port 0 picks a free one")
	key := flags.String("key", "sdk_test", "SDK `key` to accept")
	lifetime := flags.Duration("lifetime", 15*time.Minute, "how long link tokens live")
	verbose := flags.Bool("v", false, "log requests to standard error")
	flags.SetOutput(io.Discard) // main prints the error on one line
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stdout)
		flags.Usage()
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if _, err := client.New(*key); err != nil {
		return fmt.Errorf("-key: %w", err)
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	handler, logTo := guard(newServer(*key, *lifetime), listener.Addr()), io.Discard
	if *verbose {
		logTo = newBackground(stderr)
		handler = logged(handler, log.New(logTo, "", log.Ltime))
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    16 << 10, // with the path, which the API may keep
		ErrorLog:          log.New(logTo, "", log.Ltime),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	// A single write, so that a reader sees both lines or none, after the server has
	// started, because it may block or fail.
	fmt.Fprintf(stdout, "ONELOOP_BASE_URL=%s\nONELOOP_SDK_KEY=%s\n", quote(baseURL(listener.Addr())), quote(*key))
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = server.Shutdown(grace)
	return server.Close() // ends requests that a fault is delaying
}

// baseURL returns the URL of the API that listens on addr.
func baseURL(addr net.Addr) string {
	host, port, _ := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// quote quotes text for a shell if that is necessary.
func quote(text string) string {
	if regexp.MustCompile(`^[\w./:@%+=,-]+$`).MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
