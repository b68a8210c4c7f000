// Command fakeapi runs the fake Oneloop API as a process, for front ends and
// end-to-end tests in any language:
//
//	go run github.com/oneloop-ai/oneloop-go/examples/fakeapi@latest -addr 127.0.0.1:8090 -key sdk_test -lifetime 15m
//
// GET / explains its control endpoints.
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		log.New(os.Stderr, "fakeapi: ", 0).Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("fakeapi", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8090", "`host:port` to listen on; port 0 picks a free one")
	key := flags.String("key", "sdk_test", "SDK `key` to accept")
	lifetime := flags.Duration("lifetime", 15*time.Minute, "how long link tokens live")
	flags.SetOutput(io.Discard) // main prints the error on one line
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(out)
		flags.Usage()
		return nil
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *key == "":
		return errors.New("-key is empty")
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	// If the server listens on all addresses, print the loopback address.
	host := strings.NewReplacer("0.0.0.0", "127.0.0.1", "[::]", "127.0.0.1").Replace(listener.Addr().String())
	fmt.Fprintf(out, "fake Oneloop API: set ONELOOP_BASE_URL=http://%[1]s ONELOOP_SDK_KEY=%[2]s; http://%[1]s/ explains the rest\n", host, *key)

	handler := logged(guard(newServer(*key, *lifetime), listener.Addr()), log.New(out, "", log.Ltime))
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		MaxHeaderBytes:    16 << 10, // with the path, which the API may keep
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	_ = server.Shutdown(grace)
	return server.Close() // ends requests that a fault is delaying
}

// secret matches the part of a path that may be a link token.
var secret = regexp.MustCompile(`(link-token/|lt_).*`)

// logged logs each request with its status, which is 000 if the connection ended
// without one.
func logged(next http.Handler, to *log.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec, start := &recorder{ResponseWriter: w}, time.Now()
		next.ServeHTTP(rec, r)
		path := secret.ReplaceAllString(r.URL.EscapedPath(), "${1}…")
		to.Printf("%s %s %03d %v", r.Method, path, rec.status, time.Since(start).Round(time.Microsecond))
	})
}

// A recorder records the status of a response.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets a fault cut the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
