// Package client generates and validates Oneloop link tokens.
//
// A backend that gives its own customers API keys asks Oneloop for a link token
// for one customer and workspace, and hands it to its front end. Later it asks
// whether a link token is valid, and whose it is:
//
//	c, err := client.New(os.Getenv("ONELOOP_SDK_KEY"))
//	…
//	token, err := c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{
//		CustomerID:  "customer_1",
//		WorkspaceID: "workspace_1",
//	})
//	…
//	validation, err := c.ValidateLinkToken(ctx, token.Token)
//	if err != nil {
//		// There is no answer: refuse access.
//	} else if !validation.Valid {
//		// The token has expired or was revoked: refuse access.
//	}
//
// A [Client] is safe for concurrent use. Make one and share it.
//
// # Authentication
//
// The SDK key given to [New] is sent as a bearer token, and only to the base
// URL: redirects are not followed, and plain http is refused unless the host is
// loopback. To rotate keys without a restart, use [WithKeySource]. The package
// never reads the key from the environment. The proxy variables that
// http.DefaultTransport honours, such as HTTPS_PROXY, are honoured here too.
//
// # Errors
//
// A nil error means that the answer is complete and obeys the contract: JSON,
// with every required field present and in its bounds. Otherwise the error is
// one of these:
//
//   - [ErrInvalidArgument]: an argument or option was refused before anything
//     was sent. The text names it, never its value.
//   - [*ErrorResponse], found with errors.As: an answer outside 2xx, whatever its
//     body. With errors.Is it matches one of [ErrBadRequest] (400),
//     [ErrUnauthorized] (401), [ErrForbidden] (403), [ErrRateLimited] (429) and
//     [ErrServer] (5xx), depending on its status.
//   - [ErrMalformedResponse]: a 2xx that breaks the contract.
//   - context.Canceled or context.DeadlineExceeded: the context or a timeout
//     ended the call.
//   - An error of the network or the transport, such as *net.OpError, or of the
//     key source.
//
// If a call ends in one of the last two ways after an attempt was answered with
// an error status, errors.As finds that *ErrorResponse too.
//
// When you validate a token that came from outside, treat ErrInvalidArgument
// and ErrBadRequest as "not valid", and every other error as "try again later".
// ErrUnauthorized and ErrForbidden are taken to be about your SDK key, not about
// the link token. Oneloop documents neither that nor how it answers for a token
// that it never made; if you see another status for those, treat it as "not
// valid" too.
//
// # Retries
//
// A call is tried up to [RetryPolicy].MaxAttempts times, by default 3, depending
// on the outcome of each attempt:
//
//	outcome                                             validate      generate
//	never sent: dial failure or timeout, TLS handshake  retried       retried
//	  timeout; 408, 429, 503
//	perhaps processed: 500, 502, 504, connection cut,   retried       retried once
//	  attempt timeout, truncated answer, any other                    per call
//	  transport error
//	context done; unknown host; other TLS failure;      not retried   not retried
//	  redirect; other 4xx; 501, 505 and above;
//	  malformed or oversize answer
//
// If Oneloop processes a generateLinkToken and its answer is lost, the retry
// makes a second token. The first is known to nobody and expires by itself. No
// Idempotency-Key is sent: the contract has none, and it would make net/http
// resend the POST by itself.
//
// The wait before retry n, counted from 0, is drawn at random between 0 and
// BaseDelay·2ⁿ, or MaxDelay if that is less ("full jitter"). The base is at least
// 1 s after a 429 or 503 without Retry-After. A Retry-After, in seconds or as an HTTP
// date, is a lower limit of the wait. If it exceeds MaxRetryAfter, or if the wait
// would pass the deadline, the call ends at once.
//
// A retry budget keeps retries from making an outage worse. Each Client has 500
// units, and a retry costs 14. They are given back if the retry succeeds, and
// every first attempt that succeeds adds 1. When the budget is spent, calls are
// not retried: 1,000 calls to a dead server are at most 1,035 attempts.
//
// An attempt is one request, but net/http resends some requests by itself, for
// example if the server closes an idle connection just then. An attempt never
// sends more than two.
//
// # Timeouts
//
// The deadline of the context bounds a call. If it has none, [WithTimeout] does,
// by default 30 s, waits and retries included. [RetryPolicy].AttemptTimeout
// bounds each attempt, by default 8 s.
//
// # Secrets
//
// The SDK key and every link token are secrets, and so is a URL with a link
// token in its path. Neither appears in the text of an error or of its causes,
// in an [Attempt] or in a log record, even if the server repeats it. Secrets
// shorter than 8 bytes are not redacted, because they might be ordinary words.
// Printing a [LinkToken] or a [Client] with any verb of package fmt, or logging
// it with log/slog, doesn't show the secret. Encoding a LinkToken as JSON does,
// because that is how a front end gets it. [ErrorResponse].Body is as received.
//
// # Observing
//
// By itself the package logs nothing. [WithObserver] reports every attempt and
// what happens next; [LogAttempts] writes that to a slog.Logger.
//
// # Testing
//
// Package clienttest is the Oneloop API in memory, with state, faults on demand
// and a clock that tests can move. Its documentation shows two more ways to test
// code that calls Oneloop: jarcoal/httpmock, and an interface of your own.
package client
