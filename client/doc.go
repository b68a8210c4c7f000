// Package client calls the Oneloop API's link tokens.
//
// A backend that gives its own customers API keys asks Oneloop for a link
// token for one customer and workspace, hands it to its front end, and asks
// later whether a link token is valid and whose it is:
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
//		// Nobody knows: don't let anybody in.
//	} else if !validation.Valid {
//		// Expired or revoked: don't let this one in.
//	}
//
// A [Client] is safe for concurrent use. Make one and share it.
//
// # Authentication
//
// The SDK key given to [New] is sent as a bearer token, to the base URL only:
// plain http to other hosts than loopback is refused, and redirects are not
// followed. To rotate keys without a restart, give a function with
// [WithKeySource]. The package reads no environment.
//
// # Errors
//
// A nil error means an answer that is whole, JSON, and has every field that the
// contract demands, in its bounds. Anything else is an error:
//
//   - [ErrInvalidArgument]: refused before anything was sent. The text names the
//     argument or option, never its value.
//   - [*ErrorResponse], for errors.As: an answer outside 2xx, whatever its body.
//     By its status it is [ErrBadRequest] (400), [ErrUnauthorized] (401),
//     [ErrForbidden] (403), [ErrRateLimited] (429) or [ErrServer] (5xx) for
//     errors.Is.
//   - [ErrMalformedResponse]: a 2xx that breaks the contract.
//   - context.Canceled and context.DeadlineExceeded: the context or a timeout
//     ended the call.
//   - What the network or the transport said, such as *net.OpError.
//
// Where an attempt was answered before the call ended otherwise, the error is
// that *ErrorResponse too.
//
// Who asks about a token of somebody else's should take ErrInvalidArgument and
// ErrBadRequest for "not valid", and anything else for "try later":
// ErrUnauthorized and ErrForbidden are about the SDK key, not about the link
// token. What Oneloop answers to a token that it never made is not documented.
//
// # Retries
//
// A call is tried up to [RetryPolicy].MaxAttempts times, 3 by default, where a
// retry can help:
//
//	outcome of an attempt                               validate     generate
//	never sent: dial failure or timeout, TLS handshake  all          all
//	  timeout; 408, 429, 503
//	perhaps processed: 500, 502, 504, connection cut,   all          one retry per call
//	  attempt timeout, truncated answer, any other
//	  transport error
//	context done; unknown host; TLS failure; redirect;  none         none
//	  other 4xx; 501, 505 and above; malformed or
//	  oversize answer
//
// A generateLinkToken that was processed and whose answer was lost leaves one
// token that nobody has and that expires by itself. No Idempotency-Key is sent:
// the contract knows none, and net/http would replay a POST that has one.
//
// The wait before retry n, counted from 0, is drawn uniformly between 0 and
// BaseDelay·2ⁿ or MaxDelay, whichever is less; the base is 1 s after a 429 or
// 503 without Retry-After. A Retry-After, in seconds or as an HTTP date, is
// never undercut. One that exceeds MaxRetryAfter ends the call at once with the
// *ErrorResponse, whose RetryAfter says how long to wait, and so does a wait
// that can't end before the deadline.
//
// So that retries don't make an outage worse, each Client has a budget for
// them: 500 units, of which a retry costs 14. A retry that succeeds gives its
// cost back, a first attempt that succeeds gives 1. A dead server sees at most
// 1,035 requests for 1,000 calls. And since net/http replays some requests by
// itself, an attempt is held at two requests on the wire.
//
// # Timeouts
//
// The context bounds a call. Where it has no deadline, [WithTimeout] does: 30 s
// by default, waits and retries included. Each attempt, from connecting to the
// end of the body, has [RetryPolicy].AttemptTimeout: 8 s.
//
// # Secrets
//
// The SDK key and every link token are secrets, and so is each URL with a link
// token in its path. Neither stands in the text of any error or its causes, in
// an [Attempt] or in a log line, also where the server repeats it; secrets
// shorter than 8 bytes aside, which stand in ordinary words. Printing a
// [LinkToken] or a [Client] with any verb of fmt, or logging it with log/slog,
// shows none. Encoding a LinkToken as JSON does: that is how a front end gets
// it. [ErrorResponse].Body is as received.
//
// # Observing
//
// Nothing is logged unless asked for: [WithObserver] tells of every attempt and
// what happens next, and [LogAttempts] writes that to a slog.Logger.
//
// # Testing
//
// Package clienttest is the Oneloop API in memory, with a state, faults on
// demand and a clock to move. Its documentation shows two more ways to test code
// that calls Oneloop: jarcoal/httpmock, and an interface of your own.
package client
