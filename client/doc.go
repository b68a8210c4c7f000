// Package client generates and validates Oneloop link tokens.
//
// A backend requests a link token for one of its customers and passes it to that
// customer's browser. When a request arrives with a link token, the backend asks
// Oneloop whether the token is valid and whose it is:
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
//	case err != nil: // Oneloop has not decided: refuse access.
//	case !validation.Valid: // The token has expired or was revoked: refuse access.
//	default: // The request comes from validation.CustomerID.
//	}
//
// A [Client] is safe for concurrent use. Make one and share it.
//
// Package [github.com/oneloop-ai/oneloop-go/client/linkauth] is net/http
// middleware that admits requests by their link token. Validate a token once and
// exchange it for a session of your own: each validation is a round trip to
// Oneloop and counts against its limits. The session outlives a revoked token,
// so give it a fixed lifetime.
//
// # Authentication
//
// Oneloop issues the SDK key. The key given to [New] is sent as a bearer token, and
// only to the base URL: redirects are not followed, and plain http is refused
// unless the host is loopback or [WithInsecureHTTP] allows it. To rotate keys
// without a restart, use [WithKeySource]. A call that fails with [ErrUnauthorized]
// is not retried: if the source caches the key, drop it then and repeat the call.
//
// The package reads nothing from the environment, except that
// [http.DefaultTransport] reads the proxy variables such as HTTPS_PROXY. Over the
// Client's own transport, plain http never goes through a proxy.
//
// # Errors
//
// A nil error means that the response is complete and obeys the contract: status
// 200 with a JSON object, in which every required field is present once, not null,
// and within its bounds. As in package [encoding/json], the case of a field's name
// does not matter. Otherwise the error is one of these:
//
//   - [ErrInvalidArgument]: an argument or option was refused before anything
//     was sent. The text names it, never its value.
//   - [*ErrorResponse], found with [errors.As]: a response outside 2xx, whatever
//     its body. With [errors.Is] it matches one of [ErrBadRequest] (400),
//     [ErrUnauthorized] (401), [ErrForbidden] (403), [ErrRateLimited] (429) and
//     [ErrServer] (5xx), depending on its status.
//   - [ErrMalformedResponse]: a 2xx that breaks the contract.
//   - [context.Canceled] or [context.DeadlineExceeded]: the context or a timeout
//     ended the call.
//   - An error of the network, such as [*net.OpError], of the transport, or of the
//     key source.
//   - An error that matches none of these if the context is nil or the Client
//     was not made by New. Both are bugs in the program.
//
// An error may match several of these. If a call ends in a timeout, a cancellation
// or a network error after an attempt got an error status, the error also matches
// that *ErrorResponse. Check for ErrInvalidArgument and ErrBadRequest first, which
// another try can't change, then for the context's errors, which say how the call
// ended, and then for the rest.
//
// When you validate a token that came from outside, treat ErrInvalidArgument and
// ErrBadRequest as "not valid", and every other error as "try again later", which
// is status 503. ErrUnauthorized and ErrForbidden are taken to be about your SDK
// key. Oneloop documents neither that nor its response to a token that it never
// made. Any other status, such as 404, is not in the contract and may mean that the
// base URL is wrong, so it is "try again later" too.
//
// # Retries
//
// A call is tried up to [RetryPolicy].MaxAttempts times, by default 3, depending
// on the outcome of each attempt:
//
//	outcome                                             validate      generate
//	not processed: no connection, TLS handshake         retried       retried
//	  timeout; 408, 429, 503
//	possibly processed: 500, 502, 504, connection       retried       retried once
//	  cut, attempt timeout, truncated response, any                   per call
//	  other transport error
//	context done; unknown host; other TLS failure;      not retried   not retried
//	  redirect; other 4xx; 501, 505 and above;
//	  malformed response; body over 1 MiB
//
// If Oneloop processes a generateLinkToken and its response is lost, the retry
// makes a second token. Nobody knows the first one, and it expires on its own. No
// Idempotency-Key is sent: the contract has none, and it would make net/http
// resend the POST on its own.
//
// The wait before retry n, counted from 0, is drawn at random between 0 and
// BaseDelay·2ⁿ, or MaxDelay if that is less ("full jitter"). The one retry of a
// POST that was possibly processed waits at least half of that maximum. The base is
// at least 1 s after a 429 or 503 without Retry-After. A Retry-After, in seconds or
// as an HTTP date, is a lower limit of the wait. If it exceeds MaxRetryAfter, or if
// the wait would pass the deadline, the call ends at once.
//
// A retry budget keeps retries from making an outage worse. Each Client has 500
// units, and a retry costs 14. They are returned if the retry succeeds, and every
// first attempt that succeeds adds 1. When the budget is spent, calls are not
// retried: 1,000 calls to a dead server are at most 1,035 attempts. The error says
// so if that is why a call was not retried.
//
// An attempt is one request, but net/http resends some requests on its own, for
// example if the server closes an idle connection just then. An attempt goes
// through at most four new connections. A CONNECT that a proxy refuses is an error
// that names the proxy; the call is retried only if the proxy's status is 5xx.
//
// # Timeouts
//
// The deadline of the context bounds a call. If it has none, [WithTimeout] does,
// by default 30 s, waits and retries included. [RetryPolicy].AttemptTimeout
// bounds each attempt, by default 8 s. Over the Client's own transport, an attempt
// that waited for a response in vain makes the next ones use new connections,
// because the old ones may have fallen silent. See [WithHTTPClient].
//
// # Secrets
//
// The SDK key and every link token are secrets, and so is a URL with a link token
// in its path. This is what the package does about them:
//
//   - No error text, [Attempt] or log record of this package shows one, even if
//     the server repeats it as it is or as it is in the URL. Secrets shorter than 8
//     bytes are not redacted, because they are likely to occur in ordinary text.
//   - [errors.As] returns a [*url.Error] without its URL.
//   - Printing a [LinkToken] or a [Client] with package fmt, or logging it with
//     log/slog, doesn't show the secret.
//   - [ErrorResponse] is printed and encoded as JSON without its Header and Body.
//
// And this is what it can't do:
//
//   - Other errors that errors.As finds are a transport's own, and print what the
//     transport put into them. The same goes for the Header and Body fields.
//   - A LinkToken in an unexported field of your struct is printed with its token
//     by package fmt, which can't call its methods, and a struct that
//     contains one is logged with its token by slog's JSON handler. Encoding a
//     LinkToken as JSON shows the token, because that is how a front end gets it.
//   - Proxies, gateways and servers write URLs, and so link tokens, to their
//     access logs unless told otherwise.
//
// # Observing
//
// The package logs nothing on its own. [WithObserver] reports every attempt and
// what follows; [LogAttempts] writes that to a [log/slog.Logger].
//
// # Testing
//
// Package [github.com/oneloop-ai/oneloop-go/client/clienttest] is the Oneloop API
// in memory, with state, faults on demand and a clock that tests can move. Its
// documentation shows two more ways to test code that calls Oneloop:
// jarcoal/httpmock, and an interface of your own. The command examples/fakeapi is
// the fake as a process, for tests in other languages.
package client
