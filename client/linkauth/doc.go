// Package linkauth is net/http middleware for endpoints of your own that receive a
// link token, such as one that returns the customer's usage to the page that embeds
// Oneloop's API key manager. It admits a request only if Oneloop reports its link
// token as valid:
//
//	m := linkauth.New(c) // c is a *client.Client
//	mux.Handle("GET /usage", m.Wrap(usage))
//
// The handler, here usage, gets the customer and the workspace from [FromContext].
// Other requests get one of the responses below. By default, the token is in the
// header "Authorization: Bearer"; [WithToken] reads it from elsewhere.
//
// For an endpoint that also serves requests without a token, see the example of
// [FromContext].
//
// Each validation is a request to Oneloop. If your page sends many requests, an
// endpoint can exchange the link token for a session of your own. Limit the session's
// lifetime: it stays valid after the token has expired or was revoked.
//
// # Responses
//
//	request                                           status  headers
//	no token: no Authorization header or several,     401     WWW-Authenticate: Bearer realm="link token"
//	  another scheme, or only white space
//	token not valid, ErrInvalidLinkToken, or          401     the same with error="invalid_token"
//	  ErrBadRequest
//	ErrInvalidArgument                                500
//	the request's context is canceled                 499
//	any other error                                   503     Retry-After
//
// [FailureOf] has the precise rules. Retry-After is the wait that Oneloop asked for,
// limited to between 1 and 60 seconds, or 5 seconds if it didn't ask for any. All
// responses have Cache-Control: no-store. They never contain the token or anything
// that Oneloop sent. Use [WithFailure] to log errors, or to write responses in
// another format.
//
// A wrong SDK key leads to a 503, because the caller can't do anything about it. So
// does a 404: it is not in the API's contract, and a wrong base URL must not make
// every token look invalid.
//
// Status 499 is nginx's for a client that closed the connection; only your access log
// shows it. If you shut down a server by canceling the context that its BaseContext
// function returned, callers that are still waiting get a 499. To let them finish,
// cancel it only after [net/http.Server.Shutdown] has returned.
//
// # Routers and frameworks
//
// For routers that take middleware as a function, such as chi, pass the method value:
//
//	router.With(m.Wrap).Get("/usage", usage)
//
// gin runs the remaining handlers of a route unless one calls Abort:
//
//	func admit(g *gin.Context) {
//		admitted := false
//		m.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
//			admitted = true
//			g.Request = r
//			g.Next()
//		})).ServeHTTP(g.Writer, g.Request)
//		if !admitted {
//			g.Abort()
//		}
//	}
//
// # gRPC and WebSockets
//
// Where there is no [net/http.Handler] to wrap, call ValidateLinkToken and let
// [FailureOf] classify the result. A gRPC interceptor can use this function:
//
//	var grpcCodes = map[int]codes.Code{
//		401: codes.Unauthenticated,
//		499: codes.Canceled,
//		500: codes.Internal,
//		503: codes.Unavailable,
//	}
//
//	func admit(ctx context.Context, linkToken string) (context.Context, error) {
//		v, err := c.ValidateLinkToken(ctx, linkToken)
//		if err != nil || !v.Valid {
//			f := linkauth.FailureOf(ctx, err)
//			return nil, status.Error(grpcCodes[f.Status], http.StatusText(f.Status))
//		}
//		return linkauth.NewContext(ctx, *v), nil
//	}
//
// A browser can't send an Authorization header with a WebSocket handshake. If the
// token comes in the first message instead, close the connection with a code:
//
//	v, err := c.ValidateLinkToken(r.Context(), firstMessage)
//	if err != nil || !v.Valid {
//		code := 1013 // try again later
//		if linkauth.FailureOf(r.Context(), err).Status == http.StatusUnauthorized {
//			code = 1008 // policy violation
//		}
//		closeWith(code)
//		return
//	}
//
// # One use per token
//
// Validating a link token doesn't consume it: Oneloop's own API key manager validates
// the token that your page passes to it, and then sends it with every request. To
// admit each token only once, wrap the client, as in the example of [Validator].
//
// # Firewalls
//
// A firewall or gateway in front of Oneloop may respond to an unusual token with a
// status of its own, such as 403. The caller then gets a 503, and a stranger can fill
// your log with errors. If you have one, check the format of tokens in [WithToken], as
// in its example "format".
//
// # CORS
//
// If browsers call the route from another origin, put the handler for CORS
// preflight requests outside of this middleware. Preflight requests have no
// Authorization header, so the middleware would respond with 401.
package linkauth
