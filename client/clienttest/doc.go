// Package clienttest is the Oneloop API in memory, for tests of code that calls
// it and for programs that run offline.
//
// An [API] keeps a state: a link token that it generated validates with the same
// customer, workspace and billing id until it expires or is revoked; then valid
// is false. It accepts one SDK key, [SDKKey], and answers 401 to any other. It
// opens no socket unless asked for, imports nothing outside the standard
// library, and works in a testing/synctest bubble, where its clock and that of
// the retries are the bubble's.
//
// What Oneloop doesn't document is the fake's choice: it answers 400 to a bad
// body and to a token that it never made, its tokens live for 15 minutes, and
// error.code is the status.
//
// # Three ways to test
//
// The fake API, as in the example of [NewAPI]: the client is real, requests are
// really built and answers really read. Take it unless there is a reason not to.
// Faults are queued with [API.Queue]; [API.Advance] and [API.Revoke] end tokens;
// [API.Requests] tells what was asked. httptest.NewServer(api) puts it on a
// socket, for programs in another process.
//
// github.com/jarcoal/httpmock, as in the example "httpmock": take it where a
// project mocks everything with it already. httpmock.Activate needs no option of
// the client, also for one that was made before; httpmock.ActivateNonDefault
// takes the http.Client that WithHTTPClient will be given. What Oneloop answers
// is for the test to say, and to keep true.
//
// An interface of your own, as in the example "interface": take it where a test
// is about your code alone, and Oneloop is a value or an error. Errors of package
// client can be made by hand: &client.ErrorResponse{StatusCode: 429} is
// client.ErrRateLimited to errors.Is.
//
// # Mistakes
//
// A mistake in a test, such as a fault with the status 99, is told by an answer
// of 500 whose message begins with "clienttest:". A panic would end the test
// program where it happens in the goroutine of a server.
package clienttest
