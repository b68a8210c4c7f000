// Command otel records OpenTelemetry spans and metrics for calls and attempts of
// package client, and writes them to standard output as JSON. It is a separate module,
// so that the SDK does not depend on OpenTelemetry. Run it in its directory:
//
//	cd examples/otel && go run .
//
// If ONELOOP_SDK_KEY is set, it calls Oneloop with that key. Set ONELOOP_BASE_URL to
// call another server, and ONELOOP_INSECURE_HTTP=1 to allow plain http to that
// server. Without a key, it uses an in-memory fake API that fails twice, to cause
// retries.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"time"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "otel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("otel", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // main prints the error on one line
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(out, "Usage: ONELOOP_SDK_KEY=key go run . (without a key, it uses an in-memory fake API). There are no flags.")
			return nil
		}
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return record(ctx, getenv, out)
}

// record makes three calls and exports their spans and metrics.
func record(ctx context.Context, getenv func(string) string, out io.Writer) (err error) {
	spans, err := stdouttrace.New(stdouttrace.WithWriter(out))
	if err != nil {
		return err
	}
	metrics, err := stdoutmetric.New(stdoutmetric.WithWriter(out))
	if err != nil {
		return err
	}
	service := resource.NewSchemaless(semconv.ServiceName("oneloop-otel-example"))
	tp := sdktrace.NewTracerProvider(sdktrace.WithResource(service), sdktrace.WithBatcher(spans))
	mp := sdkmetric.NewMeterProvider(sdkmetric.WithResource(service),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metrics)))
	defer func() {
		// Export spans and metrics even if ctx has ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		// cmp.Or evaluates all of its arguments. Of the three calls here, only ForceFlush
		// returns an error if spans can't be exported.
		err = cmp.Or(err, mp.Shutdown(ctx), tp.ForceFlush(ctx), tp.Shutdown(ctx))
	}()

	c, err := newClient(tp, mp, getenv, out)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()

	token, err := c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{
		CustomerID:  "customer_1",
		WorkspaceID: "workspace_1",
	})
	if err != nil {
		return err
	}
	if _, err := c.ValidateLinkToken(ctx, token.Token); err != nil {
		return err
	}
	// Validate an unknown link token, to record an error.
	_, err = c.ValidateLinkToken(ctx, "no-such-link-token")
	var resp *client.ErrorResponse
	if errors.As(err, &resp) {
		return nil
	}
	return err
}

func newClient(tp trace.TracerProvider, mp metric.MeterProvider, getenv func(string) string, out io.Writer) (*instrumented, error) {
	if key := getenv("ONELOOP_SDK_KEY"); key != "" {
		var opts []client.Option
		if getenv("ONELOOP_INSECURE_HTTP") == "1" {
			opts = append(opts, client.WithInsecureHTTP())
		}
		return newInstrumented(tp, mp, key, cmp.Or(getenv("ONELOOP_BASE_URL"), client.DefaultBaseURL), opts...)
	}
	fmt.Fprintln(out, "ONELOOP_SDK_KEY is not set: using an in-memory fake API.")
	api := clienttest.NewAPI()
	api.Queue(
		clienttest.StatusRetryAfter(http.StatusServiceUnavailable, 0), // for generateLinkToken
		clienttest.Delay(20*time.Millisecond),
		clienttest.Cut(), // for validateLinkToken
	)
	return newInstrumented(tp, mp, clienttest.SDKKey, client.DefaultBaseURL, client.WithHTTPClient(api.HTTPClient()))
}
