package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A failure is one way in which a call can fail.
type failure struct {
	opts  func(*testing.T) []client.Option
	check func(error) bool                                            // whether the error matches its cause
	ctx   func(context.Context) (context.Context, context.CancelFunc) // nil: the test's
}

// overWire sends calls to a server with the given handler.
func overWire(handler http.HandlerFunc) func(*testing.T) []client.Option {
	return func(t *testing.T) []client.Option { return to(serve(t, handler).URL) }
}

func to(baseURL string) []client.Option { return []client.Option{client.WithBaseURL(baseURL)} }

// inMemory sends calls through rt.
func inMemory(rt http.RoundTripper) func(*testing.T) []client.Option {
	return func(*testing.T) []client.Option { return []client.Option{via(rt)} }
}

// hangOnWire does not respond. It returns when the client has disconnected.
func hangOnWire(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

var contextFailures = map[string]failure{
	"hanging, attempt timeout": {opts: overWire(hangOnWire), check: is(context.DeadlineExceeded)},
	"hanging, deadline": {opts: overWire(hangOnWire), check: is(context.DeadlineExceeded), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, 10*time.Millisecond)
	}},
	"hanging, canceled": {opts: overWire(hangOnWire), check: is(context.Canceled), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(10*time.Millisecond, cancel)
		return ctx, cancel
	}},
	"hanging, canceled with a cause": {opts: overWire(hangOnWire), check: is(context.Canceled), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(10*time.Millisecond, func() { cancel(errors.New("user left")) })
		return ctx, func() { cancel(nil) }
	}},
	"hanging in the body": {opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}), check: is(context.DeadlineExceeded)},
	"canceled before": {opts: overWire(hangOnWire), check: is(context.Canceled), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx, cancel
	}},
}

var connectionFailures = map[string]failure{
	"refused": {opts: func(t *testing.T) []client.Option { return to("https://" + closedPort(t)) }, check: as[*net.OpError]},
	"proxy refused": {opts: func(t *testing.T) []client.Option {
		return []client.Option{via(&http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: closedPort(t)})})}
	}, check: as[*net.OpError]},
	"cut before the response": {opts: overWire(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), check: is(io.EOF)},
	"cut in the body": {opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, r.RequestURI)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), check: is(io.ErrUnexpectedEOF)},
	"TLS, unknown authority": {opts: func(t *testing.T) []client.Option {
		return append(to(serve(t, http.NotFoundHandler(), withTLS).URL), via(new(http.Transport)))
	}, check: as[*tls.CertificateVerificationError]},
	"server without TLS": {opts: func(t *testing.T) []client.Option {
		return to(strings.Replace(serve(t, http.NotFoundHandler()).URL, "http://", "https://", 1))
	}, check: as[tls.RecordHeaderError]},
	"server without HTTP": {opts: func(t *testing.T) []client.Option {
		return to("http://" + listen(t, func(conn net.Conn) {
			buf := make([]byte, 4096)
			n, _ := conn.Read(buf)
			_, _ = conn.Write(buf[:n]) // the request itself
		}))
	}, check: func(err error) bool { return strings.Contains(err.Error(), "malformed HTTP") }},
}

// ownError is an error type of a transport. Its text contains secrets.
type ownError struct{ URL, Authorization string }

func (e *ownError) Error() string { return "no route for " + e.URL + " with " + e.Authorization }

var transportFailures = map[string]failure{
	"a transport's own error": {opts: inMemory(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("transport: %w", &ownError{req.URL.String(), req.Header.Get("Authorization")})
	})), check: as[*ownError]},
	"hanging, *url.Error after the timeout": {opts: inMemory(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		<-req.Context().Done()
		return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: io.EOF}
	})), check: is(io.EOF)},
	"httpmock without a responder": {opts: inMemory(httpmock.NewMockTransport()), check: func(err error) bool {
		return strings.Contains(err.Error(), "no responder found")
	}},
}

// echo returns everything in the request, including its secrets.
func echo(status int) failure {
	return failure{check: isResponse(status), opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		token := strings.TrimPrefix(r.URL.Path, "/api/v1/link-token/")
		message := fmt.Sprintf("key %s, token %s, path %s, quoted %q %+q, query %s, request %s", key, token, r.URL.EscapedPath(), token, token, url.QueryEscape(token), r.RequestURI)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Echo", key+" "+r.RequestURI)
		w.Header().Set("Location", "https://elsewhere.example"+r.RequestURI+"?key="+key)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": status, "message": message}})
	})}
}

var responseFailures = map[string]failure{
	"HTML in a 200": {opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<html>"+r.RequestURI+r.Header.Get("Authorization"))
	}), check: is(client.ErrMalformedResponse)},
	"echo as the content type of a 200": {opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Path+r.Header.Get("Authorization"))
	}), check: is(client.ErrMalformedResponse)},
	"echo as the wrong type in a 200": {opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"expiresAt": r.URL.Path, "valid": r.URL.Path, r.URL.Path: "1"})
	}), check: is(client.ErrMalformedResponse)},
	"oversize 200": {opts: inMemory(responds(200, strings.Repeat(testToken+testKey, 1<<16))), check: is(client.ErrMalformedResponse)},
	"a 503, then a cut": {opts: func(*testing.T) []client.Option {
		return []client.Option{via(newScript(responds(503, `{"error":{"code":1,"message":"`+testKey+`"}}`), fails(io.ErrUnexpectedEOF)))}
	}, check: func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) && isResponse(503)(err) }},
	"the key as the message": {opts: inMemory(responds(401, `{"error":{"code":1,"message":"`+testKey+`"}}`)), check: isResponse(401)},
	"echo in a 302":          echo(302),
	"echo in a 400":          echo(400),
	"echo in a 503":          echo(503),
}

// writes returns a server that responds to every request with text.
func writes(text string) func(*testing.T) []client.Option {
	return func(t *testing.T) []client.Option {
		return to(rawServer(t, func(conn net.Conn, _, _ int) bool {
			_, _ = io.WriteString(conn, text)
			return false
		}))
	}
}

// mentions reports whether the error says what is wrong with the response.
func mentions(what string) func(error) bool {
	return func(err error) bool { return strings.Contains(err.Error(), what) }
}

// net/http quotes what it can't parse. In these responses, that is a link token
// which the Client doesn't know, because it was just made.
var quotedResponses = map[string]failure{
	"body alone":                {opts: writes(generated + "\r\n\r\n"), check: mentions("malformed HTTP response")},
	"version":                   {opts: writes(testToken + " 200 OK\r\n\r\n"), check: mentions("malformed HTTP version")},
	"status code":               {opts: writes("HTTP/1.1 " + testToken + " OK\r\n\r\n"), check: mentions("malformed HTTP status code")},
	"header line":               {opts: writes("HTTP/1.1 200 OK\r\n" + generated + "\r\n\r\n"), check: mentions("malformed MIME header")},
	"header line without colon": {opts: writes("HTTP/1.1 200 OK\r\nX-Token " + testToken + "\r\n\r\n"), check: mentions("malformed MIME header")},
	"first header line":         {opts: writes("HTTP/1.1 200 OK\r\n " + testToken + "\r\n\r\n"), check: mentions("malformed MIME header")},
	"Content-Length":            {opts: writes("HTTP/1.1 200 OK\r\nContent-Length: " + testToken + "\r\n\r\n"), check: mentions("bad Content-Length")},
	"two lengths":               {opts: writes("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: " + testToken + "\r\n\r\n"), check: mentions("Content-Length")},
	"Transfer-Encoding":         {opts: writes("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + testToken + "\r\n\r\n"), check: mentions("unsupported transfer encoding")},
	"trailer":                   {opts: writes("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + generated + "\r\n\r\n"), check: anyError},
	"HTTP/2 header name": {opts: func(t *testing.T) []client.Option {
		server := newFrameServer(t, func(c frameConn, stream uint32) bool {
			const name = "invalid " + testToken
			c.frame(1, 5, stream, append([]byte{0x88, 0, byte(len(name))}, name+"\x00"...)...) // HEADERS, END_HEADERS and END_STREAM
			return true
		})
		return append(to(server.baseURL), via(server.transport()))
	}, check: mentions("stream error")},
}

// No error, attempt or log record shows a secret, and nothing is written to
// stderr. The test is not parallel because it replaces os.Stderr. Its subtests are.
func TestFailuresShowNoSecret(t *testing.T) {
	stderr := captureStderr(t)
	calls := append(slices.Clone(operations), operation{name: "validate an odd token", call: func(ctx context.Context, c *client.Client) (any, error) {
		return c.ValidateLinkToken(ctx, oddToken)
	}})
	t.Run("all", func(t *testing.T) {
		for _, failures := range []map[string]failure{contextFailures, connectionFailures, transportFailures, responseFailures, quotedResponses} {
			for how, failure := range failures {
				for _, op := range calls {
					t.Run(how+"/"+op.name, func(t *testing.T) {
						t.Parallel()
						checkFailure(t, failure, op)
					})
				}
			}
		}
	})
	if written := stderr(); written != "" {
		t.Errorf("written to stderr: %s", written)
	}
}

// convertible is an error that errors.As finds only through an As method.
type convertible struct{ as error }

func (convertible) Error() string          { return "no route" }
func (c convertible) Is(target error) bool { return errors.Is(c.as, target) }
func (c convertible) As(target any) bool   { return errors.As(c.as, target) }

// A *url.Error prints its URL, which contains the link token. A user's transport may
// return several of them. Only what the innermost one wraps can be found.
func TestURLErrorsShowNoSecret(t *testing.T) {
	t.Parallel()
	type leak = func(error) error // returns a *url.Error that wraps its argument
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	for name, wrap := range map[string]func(uri string, leak leak) error{
		"one":            func(_ string, leak leak) error { return leak(reset) },
		"two":            func(_ string, leak leak) error { return leak(leak(reset)) },
		"three":          func(_ string, leak leak) error { return leak(leak(leak(reset))) },
		"wrapped":        func(uri string, leak leak) error { return fmt.Errorf("%q: %w", uri, leak(reset)) },
		"wrapped in one": func(_ string, leak leak) error { return leak(fmt.Errorf("mesh: %w", leak(reset))) },
		"joined":         func(_ string, leak leak) error { return errors.Join(io.EOF, leak(reset)) },
		"two joined":     func(_ string, leak leak) error { return errors.Join(leak(reset), leak(reset)) },
		"joined in one":  func(_ string, leak leak) error { return leak(errors.Join(io.EOF, leak(reset))) },
		"joined and joined": func(_ string, leak leak) error {
			return errors.Join(io.EOF, errors.Join(fmt.Errorf("%w, %w", io.ErrNoProgress, leak(leak(reset)))))
		},
		"in its text":      func(uri string, leak leak) error { return leak(fmt.Errorf("no route for %s: %w", uri, reset)) },
		"of its As method": func(_ string, leak leak) error { return convertible{leak(leak(reset))} },
		"a client inside": func(uri string, leak leak) error {
			_, err := (&http.Client{Transport: fails(leak(reset))}).Get(uri)
			return err
		},
	} {
		failure := failure{opts: inMemory(roundTripFunc(func(req *http.Request) (*http.Response, error) {
			return nil, wrap(req.URL.String(), func(err error) error {
				return &url.Error{Op: "Get", URL: req.URL.String() + "?key=" + strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "), Err: err}
			})
		})), check: func(err error) bool {
			return errors.Is(err, syscall.ECONNRESET) && as[*net.OpError](err)
		}}
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) { checkFailure(t, failure, op) })
		}
	}
}

func checkFailure(t *testing.T, failure failure, op operation) {
	var logs bytes.Buffer
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	var attempts []client.Attempt
	policy := client.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}
	if strings.Contains(t.Name(), "hanging") {
		policy.AttemptTimeout = 25 * time.Millisecond
	}
	c := newClient(t, append(failure.opts(t), client.WithRetryPolicy(policy), record(&attempts),
		client.WithObserver(client.LogAttempts(slog.New(slog.NewTextHandler(&logs, debug)))),
		client.WithObserver(client.LogAttempts(slog.New(slog.NewJSONHandler(&logs, debug)))))...)
	ctx := t.Context()
	if failure.ctx != nil {
		var cancel context.CancelFunc
		ctx, cancel = failure.ctx(ctx)
		defer cancel()
	}
	_, err := op.call(ctx, c)
	if err == nil {
		t.Fatal("the call succeeded")
	}
	if !failure.check(err) {
		t.Errorf("%v does not match its cause", err)
	}
	for _, err := range allErrors(err, attempts) {
		noSecretInTree(t, err)
	}
	for _, a := range attempts {
		noSecretIn(t, "Attempt", a)
		noSecretIn(t, "*Attempt", &a)
	}
	noSecret(t, "the log", logs.String())
	noSecretIn(t, "Client", c)
}

// noSecretInTree checks err and the errors that errors.As finds in it.
func noSecretInTree(t *testing.T, err error) {
	t.Helper()
	noSecretIn(t, "the error", err)
	var response *client.ErrorResponse
	if errors.As(err, &response) {
		noSecretIn(t, "*ErrorResponse", response)
		noSecretIn(t, "ErrorResponse", *response)
		noSecret(t, "Message", response.Message)
	}
	if as[*url.Error](err) {
		t.Errorf("errors.As finds a *url.Error in %v", err)
	}
	var netError net.Error
	if errors.As(err, &netError) {
		noSecretIn(t, "net.Error", netError)
	}
	var opError *net.OpError
	if errors.As(err, &opError) {
		noSecretIn(t, "*net.OpError", opError)
	}
	var temporary interface{ Temporary() bool }
	if errors.As(err, &temporary) {
		noSecretIn(t, "an error with a Temporary method", temporary)
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		noSecretIn(t, "a joined error", joined)
		noSecret(t, "its errors", fmt.Sprint(joined.Unwrap()))
	}
}

// captureStderr collects everything written to os.Stderr and package log until end
// is called, which returns it.
func captureStderr(t *testing.T) (end func() string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, logs := os.Stderr, log.Writer()
	os.Stderr = w
	log.SetOutput(w)
	all := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		all <- string(text)
	}()
	return func() string {
		os.Stderr = stderr
		log.SetOutput(logs)
		_ = w.Close()
		return <-all
	}
}
