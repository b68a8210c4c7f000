// Package linkauth is net/http middleware that admits a request only if Oneloop
// reports its link token as valid:
//
//	m := linkauth.New(c) // c is a *client.Client
//	mux.Handle("POST /session", m.Wrap(exchange))
//
// The handler, here exchange, runs only for a valid link token. [FromContext]
// returns whose it is. Every other request gets a response from the table below.
// Routers that take middleware as a function, such as chi, take the method
// value: router.Use(m.Wrap).
//
// # Exchange the token for a session
//
// Each validation is a round trip to Oneloop and counts against its rate limits.
// So wrap one route that exchanges the link token for a session of your own, as
// above, and let the session admit what follows. That also keeps your pages
// working while Oneloop is unavailable.
//
// A session lives on when its link token expires or is revoked, since nobody
// validates the token again. Give sessions a fixed lifetime, no longer than a
// revoked token may do harm, and end them yourself where that is too long. If
// a revocation must take effect at once, wrap every route.
//
// # Responses
//
//	request                                        status  headers
//	no token: no Authorization header or several,  401     WWW-Authenticate: Bearer realm="link token"
//	  another scheme, or only white space
//	token not valid, ErrInvalidArgument, or        401     the same with error="invalid_token"
//	  ErrBadRequest
//	the request's context is canceled              499
//	any other error                                503     Retry-After
//
// Retry-After is what Oneloop asked for, from 1 to 60 seconds, and 5 seconds if
// it asked for nothing. All responses have Cache-Control: no-store. None of them
// repeats the token or anything that Oneloop sent. Status 499, which nginx logs
// for a client that closed the connection, reaches nobody but the access log.
//
// A wrong SDK key is a 503, since the caller can't help it. So is a 404: the
// API's contract has none, and a wrong base URL must not look as if every token
// were bad. [WithFailure] logs these, or writes a response in another form.
//
// # CORS
//
// If browsers call the route from another origin, put the handler that answers
// CORS preflight requests outside of this middleware. A preflight request
// carries no Authorization header, and would get status 401.
package linkauth
