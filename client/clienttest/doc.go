// Package clienttest provides an in-memory fake of the Oneloop API, for tests of code
// that calls Oneloop and for programs that run offline.
//
// An [API] keeps state. A link token that it issued is valid, with the same
// customer, workspace and billing id, until it expires or is revoked. It accepts
// one SDK key, by default [SDKKey], and responds with 401 to any other. It opens no
// sockets on its own, imports only the standard library, and works in a
// [testing/synctest] bubble, where it and the retries of package client use the
// bubble's clock.
//
// Oneloop doesn't document everything. The fake responds with 400 to a malformed body
// and to an unknown token, its tokens live for 15 minutes, and its error.code equals
// the status. Oneloop may differ.
//
// # Three ways to test
//
// The examples are in example_test.go.
//
// The fake API, as in the example of [NewAPI]. The client is real: it builds requests
// and reads responses. Use this unless you have a reason not to. [API.Issue] makes a
// token for code that only validates. [API.Queue] makes requests fail. [API.Advance],
// [API.Expire] and [API.Revoke] end tokens. [API.SetSDKKey] rotates the key.
// [API.Requests] returns the requests received.
//
// github.com/jarcoal/httpmock, as in the example "httpmock". Use it if your project
// already mocks all HTTP requests with it. You write Oneloop's responses yourself and
// keep them up to date. The endpoints are
//
//	POST https://prod.oneloop.ai/api/v1/link-token
//	GET  https://prod.oneloop.ai/api/v1/link-token/{token}
//
// A 200 must have a JSON Content-Type. httpmock.NewJsonResponder sets it, and
// httpmock.NewStringResponder does not. httpmock.Activate requires no option, and also
// affects existing Clients. httpmock.ActivateNonDefault modifies an [http.Client]: call
// it before you pass the [http.Client] to client.New.
//
// An interface of your own, as in the example "interface". Use it to test your own
// logic, if all you need from Oneloop is a value or an error. You can construct the
// errors of package client: &client.ErrorResponse{StatusCode: 429} matches
// client.ErrRateLimited.
//
// # Outages
//
// A fault with [Fault.Always] lasts until [API.ClearFaults]. The client retries and
// waits, so run such a test in a [testing/synctest] bubble, where waits take no time;
// see the example "outage". Don't use sockets in a bubble: while a goroutine reads
// from one, the bubble's clock does not advance.
//
// # Other processes
//
// httptest.NewServer(api) serves the fake on a free port, and
// http.ListenAndServe("127.0.0.1:8090", api) on a fixed one. For tests in other
// languages, the command examples/fakeapi of this module is a standalone fake server
// with endpoints for its clock, faults, tokens, key and requests. An API keeps the
// newest 10,000 requests, but all link tokens.
//
// # Misuse
//
// If a test misuses the package, for example with a fault of status 99, the function
// that it called panics with a message that begins with "clienttest:".
package clienttest
