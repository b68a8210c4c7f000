// Package clienttest is the Oneloop API in memory, for tests of code that calls
// it and for programs that run offline.
//
// An [API] has state: a link token that it generated validates with the same
// customer, workspace and billing id until it expires or is revoked; after that
// its validation has valid set to false. It accepts one SDK key, [SDKKey], and
// answers 401 to any other. It opens no socket unless asked to, imports only the
// standard library, and works in a testing/synctest bubble, where it and the
// retries of package client use the bubble's clock.
//
// Some of its answers are the fake's choice, because Oneloop doesn't document
// them: it answers 400 to a bad body and to a token that it never made, tokens
// live for 15 minutes, and error.code equals the status.
//
// # Three ways to test
//
// The fake API, as in the example of [NewAPI]. The client is real: it builds
// requests and reads answers. Use this unless you have a reason not to.
// [API.Queue] makes faults happen, [API.Advance] and [API.Revoke] end tokens, and
// [API.Requests] returns what was asked. httptest.NewServer(api) puts the fake on
// a socket, for programs in another process.
//
// github.com/jarcoal/httpmock, as in the example "httpmock". Use it if the
// project already mocks everything with it. You decide what Oneloop answers, and
// keep that true yourself. The endpoints are
//
//	POST https://prod.oneloop.ai/api/v1/link-token
//	GET  https://prod.oneloop.ai/api/v1/link-token/{token}
//
// and a 200 needs a JSON Content-Type: httpmock.NewJsonResponder sets it,
// httpmock.NewStringResponder does not. httpmock.Activate works without any
// option, even for a client that was made before. httpmock.ActivateNonDefault
// changes an http.Client: call it before you pass that to client.New.
//
// An interface of your own, as in the example "interface". Use it for tests of
// your own logic, where Oneloop is just a value or an error. The errors of
// package client can be made by hand: &client.ErrorResponse{StatusCode: 429}
// matches client.ErrRateLimited.
//
// # Mistakes in a test
//
// A mistake, such as a fault with the status 99, is answered with 501, which the
// client doesn't retry, and a message that begins with "clienttest:". A panic in
// the goroutine of a server would end the whole test program.
package clienttest
