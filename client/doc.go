// Package client generates and validates Oneloop link tokens.
//
// Oneloop manages the API keys that a company gives to its own customers. A link
// token is a short-lived secret that identifies one of these customers. A backend
// requests it for the customer who is signed in and passes it to its page, where
// Oneloop's embedded key manager uses it. An endpoint of your own can accept the
// same token: it asks Oneloop whether the token is valid and which customer it
// belongs to.
//
//	c, err := client.New(os.Getenv("ONELOOP_SDK_KEY"))
//	if err != nil {
//		return err
//	}
//	token, err := c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{
//		CustomerID:  "customer_1",
//		WorkspaceID: "workspace_1",
//	})
//	if err != nil {
//		return err
//	}
//
//	validation, err := c.ValidateLinkToken(ctx, token.Token)
//	switch {
//	case err != nil: // Oneloop has not decided: deny access.
//	case !validation.Valid: // The token is not valid: deny access.
//	default: // The request comes from validation.CustomerID.
//	}
//
// A [Client] is safe for concurrent use. Create one and share it. To admit HTTP
// requests by their link token, use the middleware of package
// [github.com/oneloop-ai/oneloop-go/client/linkauth].
//
// # Authentication
//
// The SDK key given to [New] is sent as a bearer token, and only to the base URL:
// redirects are not followed, and plain http is rejected unless the host is loopback
// or [WithInsecureHTTP] allows it. To rotate keys without a restart, use
// [WithKeyFile] or [WithKeySource]. The package reads nothing from the environment,
// except that [http.DefaultTransport] reads proxy variables such as HTTPS_PROXY.
//
// # Errors
//
// The contract is Oneloop's API description, openapi.yaml in this module. A nil error
// means that the response is complete and conforms to the contract: status 200 with a
// JSON object in which every required field is present once, not null, and within
// its bounds. The letter case of field names does not matter, as in package
// [encoding/json]. Otherwise the error is one of these:
//
//   - [ErrInvalidLinkToken]: the argument of [Client.ValidateLinkToken] can't be a
//     link token, so nothing was sent.
//   - [ErrInvalidArgument]: another argument or an option was rejected, which is a
//     bug in the program. The text names it, but never shows its value.
//   - [*ErrorResponse], found with [errors.As]: a response outside 2xx, regardless
//     of its body. With [errors.Is] it matches [ErrBadRequest] (400),
//     [ErrUnauthorized] (401), [ErrForbidden] (403), [ErrRateLimited] (429) or
//     [ErrServer] (5xx), if its status is one of these.
//   - [ErrMalformedResponse]: a 2xx that doesn't conform to the contract.
//   - [context.Canceled] or [context.DeadlineExceeded]: the context or a timeout
//     ended the call. The context's cause is not part of the error.
//   - Anything else, such as a network error ([*net.OpError]) or the error of a
//     transport or a key source.
//
// If a call ends without a response after an earlier attempt got an error response,
// the error also matches that *ErrorResponse. So check first for ErrInvalidLinkToken,
// ErrInvalidArgument and ErrBadRequest, which retrying cannot fix, then for the
// context's errors, and then for the rest.
//
// A token that Oneloop reports as not valid is not an error: check Valid. Oneloop
// does not document its response to a token that it never created, so treat
// ErrBadRequest as "not valid" too, and other errors as "try again later". Those may
// mean that your SDK key is wrong (ErrUnauthorized, ErrForbidden) or your base URL
// (404, which is not in the contract). FailureOf of package linkauth returns the
// status to respond with.
//
// # Retries
//
// A call has up to [RetryPolicy].MaxAttempts attempts, by default 3. Whether there is
// another one depends on the outcome of the last:
//
//	outcome                                           validate      generate
//	not processed: no connection; 408, 429, 503       retried       retried
//	possibly processed: 500, 502, 504, connection     retried       retried once
//	  broken, attempt timeout, truncated response                   per call
//	final: context done, unknown host, TLS alert or   not retried   not retried
//	  certificate, redirect, other 4xx, 501, 505 and
//	  above, malformed response, body over 1 MiB
//
// If Oneloop processes a generateLinkToken and its response is lost, the retry
// creates a second token, and no caller received the first. The contract has no
// idempotency key.
//
// Waits are random and grow with each retry. A Retry-After is a lower limit: if it
// exceeds MaxRetryAfter, or if the wait would pass the deadline, the call ends at
// once. A retry budget keeps retries from making an outage worse. If it prevented a
// retry, the error says so. See [RetryPolicy].
//
// # Timeouts
//
// [WithTimeout] limits each call, including retries and waits, by default to 15 s.
// An earlier deadline of the context takes precedence. AttemptTimeout of
// [RetryPolicy] limits each attempt, by default to 8 s.
//
// # Secrets
//
// The SDK key and every link token are secrets, and so is a URL with a link token
// in its path. The package protects them:
//
//   - No error text, [Attempt] or log record of this package shows one, even if
//     the server echoes it, verbatim or URL-escaped. Secrets shorter than 8 bytes
//     are not redacted, because they are likely to occur in ordinary text.
//   - [errors.As] finds no [*url.Error] in the error of a transport.
//   - A [LinkToken] or a [Client] that is printed with package fmt or logged with
//     log/slog doesn't show the secret. An [ErrorResponse] that is printed or encoded
//     as JSON doesn't show its Header and Body, which are as received.
//
// It can't protect them everywhere:
//
//   - A LinkToken encoded as JSON shows the token, because that is how a page gets
//     it. This includes loggers that encode their arguments as JSON, and slog's JSON
//     handler for a struct with a LinkToken in it.
//   - Package fmt prints a value without calling its methods if it is in an unexported
//     field, or for the verbs %p and %w, unless Errorf wraps it as an error.
//   - Proxies, gateways and servers write URLs to their access logs unless configured
//     otherwise, and errors that errors.As finds print what a transport put into them.
//
// # Logging and metrics
//
// The package logs nothing on its own. [WithObserver] reports every attempt and
// what follows; [LogAttempts] writes that to a [log/slog.Logger].
//
// # Testing
//
// Package [github.com/oneloop-ai/oneloop-go/client/clienttest] is an in-memory fake
// of the Oneloop API, with faults on demand and a clock that tests can move. For
// tests in other languages, the command examples/fakeapi is a standalone fake server.
package client
