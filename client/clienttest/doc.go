// Package clienttest is the Oneloop API in memory, for tests of code that calls
// it and for programs that run offline.
//
// An [API] keeps state: a link token that it generated validates with the same
// customer, workspace and billing id until it expires or is revoked; from then on
// its validation has valid set to false. It accepts one SDK key, [SDKKey] unless
// told otherwise, and responds with 401 to any other. It opens no socket unless
// asked to, imports only the standard library, and works in a testing/synctest
// bubble, where it and the retries of package client use the bubble's clock.
//
// Oneloop doesn't document everything. These are the fake's own choices: 400 for
// a bad body and for a token that it never made, a lifetime of 15 minutes, and an
// error.code that equals the status.
//
// # Three ways to test
//
// The fake API, as in the example of [NewAPI]. The client is real: it builds
// requests and reads responses. Use this unless you have a reason not to.
// [API.Queue] makes requests fail, [API.Advance], [API.Expire] and [API.Revoke]
// end tokens, [API.SetSDKKey] rotates the key, and [API.Requests] returns what
// arrived.
//
// github.com/jarcoal/httpmock, as in the example "httpmock". Use it if the
// project already mocks everything with it. You write Oneloop's responses, and
// you keep them true to its API. The endpoints are
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
// # Outages
//
// A fault that is made with [Fault.Always] lasts until [API.ClearFaults]. The
// client retries and waits, so run such a test in a testing/synctest bubble, as
// in the example "outage": there the waits take no time. Leave out sockets then:
// a goroutine that reads from one keeps the bubble's clock from advancing.
//
// # Other processes
//
// httptest.NewServer(api) puts the fake on a socket with a free port, and
// http.ListenAndServe("127.0.0.1:8090", api) on a fixed one. For tests that are
// not written in Go, the command examples/fakeapi of this module is the fake as a
// process, with endpoints for its clock, faults, tokens, key and requests.
//
// # Misuse
//
// A test's own error, such as a fault with the status 99, gives a 501, which the
// client doesn't retry, with a message that begins with "clienttest:". It is not
// a panic, which would end the whole test program if it happened in a server's
// goroutine.
package clienttest
