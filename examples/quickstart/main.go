// Command quickstart generates a link token, validates it, and shows an error.
//
// If ONELOOP_SDK_KEY is set, it calls Oneloop with that key. Set ONELOOP_BASE_URL to
// call another server, and ONELOOP_INSECURE_HTTP=1 to allow plain http to that
// server. Without a key, quickstart uses an in-memory fake API.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	customer := flags.String("customer", "customer_1", "`id` of the customer who gets the link token")
	workspace := flags.String("workspace", "workspace_1", "`id` of the workspace that the link token is for")
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

	c, err := newClient(getenv, out)
	if err != nil {
		return err
	}
	defer c.CloseIdleConnections()

	token, err := c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{
		CustomerID:  *customer,
		WorkspaceID: *workspace,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Generated link token %s, which expires at %s (in %s).\n",
		mask(token.Token), token.ExpiresAt.Format(time.RFC3339), time.Until(token.ExpiresAt).Round(time.Second))

	validation, err := c.ValidateLinkToken(ctx, token.Token)
	if err != nil {
		return err
	}
	if !validation.Valid {
		return errors.New("oneloop reports the new link token as not valid")
	}
	fmt.Fprintf(out, "It is valid, and belongs to customer %s in workspace %s.\n", validation.CustomerID, validation.WorkspaceID)

	unknown, err := c.ValidateLinkToken(ctx, "no-such-link-token")
	var response *client.ErrorResponse
	switch {
	case err == nil:
		fmt.Fprintf(out, "An unknown link token causes no error here; its Valid is %t.\n", unknown.Valid)
	case errors.As(err, &response):
		fmt.Fprintln(out, "The error for an unknown link token:", err)
		fmt.Fprintf(out, "That is an *ErrorResponse with status %d; errors.Is(err, client.ErrBadRequest) is %t.\n",
			response.StatusCode, errors.Is(err, client.ErrBadRequest))
	default:
		return err
	}
	return nil
}

func newClient(getenv func(string) string, out io.Writer) (*client.Client, error) {
	key := getenv("ONELOOP_SDK_KEY")
	if key == "" {
		fmt.Fprintln(out, "ONELOOP_SDK_KEY is not set: using an in-memory fake API.")
		return client.New(clienttest.SDKKey, client.WithHTTPClient(clienttest.NewAPI().HTTPClient()))
	}
	baseURL := cmp.Or(getenv("ONELOOP_BASE_URL"), client.DefaultBaseURL)
	opts := []client.Option{client.WithBaseURL(baseURL)}
	if getenv("ONELOOP_INSECURE_HTTP") == "1" {
		opts = append(opts, client.WithInsecureHTTP())
	}
	c, err := client.New(key, opts...)
	if err == nil { // a URL that New rejects may contain a password
		fmt.Fprintln(out, "Calling", baseURL)
	}
	return c, err
}

// mask returns enough of a link token to tell it from another one, but too little to
// use it.
func mask(token string) string {
	const shown = 4
	if len(token) < 4*shown {
		return "****"
	}
	return "****" + token[len(token)-shown:]
}
