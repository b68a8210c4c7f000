// Package linkauth is net/http middleware that admits a request only if Oneloop
// reports its link token as valid:
//
//	m := linkauth.New(c) // c is a *client.Client
//	mux.Handle("POST /session", m.Wrap(exchange))
//
// The handler, here exchange, runs only for requests with a valid link token. It
// gets the customer and workspace from [FromContext]. Other requests get one of the
// responses in the table below. For routers that take middleware as a function,
// such as chi, pass the method value: router.Use(m.Wrap).
//
// # Exchange the token for a session
//
// Each validation is a request to Oneloop and counts against its rate limits. So
// wrap a single route that exchanges the link token for a session of your own, as
// above, and let the session admit later requests. Your pages then keep working
// while Oneloop is unavailable.
//
// A session outlives its link token: nobody notices when the token expires or is
// revoked. Give sessions a fixed lifetime, no longer than a revoked token may remain
// in use. If a revocation must take effect at once, wrap every route.
//
// # Responses
//
//	request                                        status  headers
//	no token: no Authorization header or several,  401     WWW-Authenticate: Bearer realm="link token"
//	  another scheme, or only white space
//	token not valid, ErrInvalidLinkToken, or       401     the same with error="invalid_token"
//	  ErrBadRequest
//	ErrInvalidArgument                             500
//	the request's context is canceled              499
//	any other error                                503     Retry-After
//
// Retry-After is the wait that Oneloop asked for, limited to between 1 and 60
// seconds, or 5 seconds if it didn't ask for any. All responses have Cache-Control:
// no-store. They never contain the token or anything that Oneloop sent. nginx uses
// status 499 for a client that closed the connection; only your access log shows it.
//
// A wrong SDK key leads to a 503, because the caller can't do anything about it. So
// does a 404: it is not in the API's contract, and a wrong base URL must not make
// every token look invalid. Use [WithFailure] to log these errors, or to write
// responses in another format.
//
// # CORS
//
// If browsers call the route from another origin, put the handler for CORS
// preflight requests outside of this middleware. Preflight requests have no
// Authorization header, so the middleware would respond with 401.
package linkauth
