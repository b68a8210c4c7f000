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
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A failure is one way in which a call can fail.
type failure struct {
	name  string
	opts  func(*testing.T) []client.Option
	ctx   func(context.Context) (context.Context, context.CancelFunc) // nil: the test's
	check func(error) bool                                            // whether the error matches its cause
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

func isResponse(status int) func(error) bool {
	return func(err error) bool {
		var e *client.ErrorResponse
		return errors.As(err, &e) && e.StatusCode == status
	}
}

func anyError(err error) bool { return err != nil }

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

// echo repeats everything in the request, including its secrets.
func echo(w http.ResponseWriter, r *http.Request, status int) {
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	token := strings.TrimPrefix(r.URL.Path, "/api/v1/link-token/")
	message := fmt.Sprintf("key %s, token %s, path %s, quoted %q %+q, query %s, request %s", key, token, r.URL.EscapedPath(), token, token, url.QueryEscape(token), r.RequestURI)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Echo", key+" "+r.RequestURI)
	w.Header().Set("Location", "https://elsewhere.example"+r.RequestURI+"?key="+key)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": status, "message": message}})
}

// ownError is an error type of a transport. Its text contains secrets.
type ownError struct{ URL, Authorization string }

func (e *ownError) Error() string { return "no route for " + e.URL + " with " + e.Authorization }

var contextFailures = []failure{
	{name: "hanging, attempt timeout", opts: overWire(hangOnWire), check: is(context.DeadlineExceeded)},
	{name: "hanging, deadline", opts: overWire(hangOnWire), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, 20*time.Millisecond)
	}, check: is(context.DeadlineExceeded)},
	{name: "hanging, canceled", opts: overWire(hangOnWire), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(20*time.Millisecond, cancel)
		return ctx, cancel
	}, check: is(context.Canceled)},
	{name: "hanging in the body", opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}), check: is(context.DeadlineExceeded)},
	{name: "canceled before", opts: overWire(hangOnWire), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return ctx, cancel
	}, check: is(context.Canceled)},
	{name: "canceled with a cause", opts: overWire(hangOnWire), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("user left")) })
		return ctx, func() { cancel(nil) }
	}, check: is(context.Canceled)},
	{name: "http.Client.Timeout", opts: func(t *testing.T) []client.Option {
		return append(to(serve(t, http.HandlerFunc(hangOnWire)).URL), client.WithHTTPClient(&http.Client{Timeout: 10 * time.Millisecond}))
	}, check: anyError},
}

var connectionFailures = []failure{
	{name: "refused", opts: func(t *testing.T) []client.Option { return to("https://" + closedPort(t)) }, check: as[*net.OpError]},
	{name: "proxy refused", opts: func(t *testing.T) []client.Option {
		proxy := &url.URL{Scheme: "http", Host: closedPort(t)}
		return append(to("https://gw.example"), via(&http.Transport{Proxy: http.ProxyURL(proxy)}))
	}, check: as[*net.OpError]},
	{name: "cut before the response", opts: overWire(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), check: is(io.EOF)},
	{name: "cut in the body", opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, r.RequestURI)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), check: is(io.ErrUnexpectedEOF)},
	{name: "TLS, unknown authority", opts: func(t *testing.T) []client.Option {
		return to(serve(t, http.NotFoundHandler(), withTLS).URL)
	}, check: as[*tls.CertificateVerificationError]},
	{name: "server without TLS", opts: func(t *testing.T) []client.Option {
		return to(strings.Replace(serve(t, http.NotFoundHandler()).URL, "http://", "https://", 1))
	}, check: as[tls.RecordHeaderError]},
	{name: "server without HTTP", opts: func(t *testing.T) []client.Option {
		return to("http://" + listen(t, func(conn net.Conn) {
			buf := make([]byte, 4096)
			n, _ := conn.Read(buf)
			_, _ = conn.Write(buf[:n]) // the request itself
		}))
	}, check: anyError},
}

var transportFailures = []failure{
	{name: "a transport's own error", opts: inMemory(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("transport: %w", &ownError{req.URL.String(), req.Header.Get("Authorization")})
	})), check: as[*ownError]},
	{name: "a transport's *url.Error", opts: inMemory(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}
	})), check: func(err error) bool {
		return errors.Is(err, syscall.ECONNRESET) && as[*net.OpError](err) && !as[*url.Error](err)
	}},
	{name: "a transport's wrapped *url.Error", opts: inMemory(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("%q: %w", req.URL.Path, &url.Error{Op: "Get", URL: req.URL.String(), Err: io.EOF})
	})), check: is(io.EOF)},
	{name: "a transport's nested *url.Errors", opts: inMemory(roundTripFunc(func(req *http.Request) (*http.Response, error) {
		inner := &url.Error{Op: "Get", URL: req.URL.String(), Err: io.EOF}
		return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: fmt.Errorf("proxy: %w", inner)}
	})), check: is(io.EOF)},
	{name: "httpmock without a responder", opts: inMemory(httpmock.NewMockTransport()), check: func(err error) bool {
		return strings.Contains(err.Error(), "no responder found")
	}},
}

var responseFailures = []failure{
	{name: "HTML in a 200", opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "<html>"+r.RequestURI+r.Header.Get("Authorization"))
	}), check: is(client.ErrMalformedResponse)},
	{name: "echo as the content type of a 200", opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Path+r.Header.Get("Authorization"))
	}), check: is(client.ErrMalformedResponse)},
	{name: "echo as the wrong type in a 200", opts: overWire(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"expiresAt": r.URL.Path, "valid": r.URL.Path, r.URL.Path: "1"})
	}), check: is(client.ErrMalformedResponse)},
	{name: "oversize 200", opts: inMemory(responds(200, strings.Repeat(testToken+testKey, 1<<16))), check: is(client.ErrMalformedResponse)},
	{name: "a 503, then a cut", opts: func(*testing.T) []client.Option {
		return []client.Option{via(newScript(responds(503, `{"error":{"code":1,"message":"`+testKey+`"}}`), fails(io.ErrUnexpectedEOF)))}
	}, check: func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) && isResponse(503)(err) }},
	{name: "the key as the message", opts: inMemory(responds(401, `{"error":{"code":1,"message":"`+testKey+`"}}`)), check: isResponse(401)},
	{name: "echo in a 302", opts: overWire(func(w http.ResponseWriter, r *http.Request) { echo(w, r, 302) }), check: isResponse(302)},
	{name: "echo in a 400", opts: overWire(func(w http.ResponseWriter, r *http.Request) { echo(w, r, 400) }), check: isResponse(400)},
	{name: "echo in a 401", opts: overWire(func(w http.ResponseWriter, r *http.Request) { echo(w, r, 401) }), check: isResponse(401)},
	{name: "echo in a 404", opts: overWire(func(w http.ResponseWriter, r *http.Request) { echo(w, r, 404) }), check: isResponse(404)},
	{name: "echo in a 429", opts: overWire(func(w http.ResponseWriter, r *http.Request) { echo(w, r, 429) }), check: isResponse(429)},
	{name: "echo in a 500", opts: overWire(func(w http.ResponseWriter, r *http.Request) { echo(w, r, 500) }), check: isResponse(500)},
	{name: "echo in a 503", opts: overWire(func(w http.ResponseWriter, r *http.Request) { echo(w, r, 503) }), check: isResponse(503)},
}

// No error, attempt or log record shows a secret, and nothing is written to
// stderr. The test is not parallel because it replaces os.Stderr. Its subtests are.
func TestFailuresShowNoSecret(t *testing.T) {
	stderr := captureStderr(t)
	calls := map[string]func(context.Context, *client.Client) error{
		"generate": func(ctx context.Context, c *client.Client) error {
			_, err := generate.call(ctx, c)
			return err
		},
		"validate": func(ctx context.Context, c *client.Client) error {
			_, err := validate.call(ctx, c)
			return err
		},
		"validate an odd token": func(ctx context.Context, c *client.Client) error {
			_, err := c.ValidateLinkToken(ctx, oddToken)
			return err
		},
	}
	t.Run("all", func(t *testing.T) {
		for _, failures := range [][]failure{contextFailures, connectionFailures, transportFailures, responseFailures} {
			for _, failure := range failures {
				for name, call := range calls {
					t.Run(failure.name+"/"+name, func(t *testing.T) {
						t.Parallel()
						checkFailure(t, failure, call)
					})
				}
			}
		}
	})
	if written := stderr(); written != "" {
		t.Errorf("written to stderr: %s", written)
	}
}

func checkFailure(t *testing.T, failure failure, call func(context.Context, *client.Client) error) {
	var logs [2]bytes.Buffer
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	var attempts []client.Attempt
	policy := quickPolicy
	if strings.HasPrefix(failure.name, "hanging") {
		policy.AttemptTimeout = 50 * time.Millisecond
	}
	c := newClient(t, append(failure.opts(t), client.WithRetryPolicy(policy), record(&attempts),
		client.WithObserver(client.LogAttempts(slog.New(slog.NewTextHandler(&logs[0], debug)))),
		client.WithObserver(client.LogAttempts(slog.New(slog.NewJSONHandler(&logs[1], debug)))))...)
	ctx := t.Context()
	if failure.ctx != nil {
		var cancel context.CancelFunc
		ctx, cancel = failure.ctx(ctx)
		defer cancel()
	}
	err := call(ctx, c)
	if err == nil {
		t.Fatal("the call succeeded")
	}
	if !failure.check(err) {
		t.Errorf("%v does not match its cause", err)
	}
	noSecretIn(t, "the error", err)
	noSecretInTree(t, err)
	for _, a := range attempts {
		noSecretIn(t, "Attempt", a)
		noSecretIn(t, "*Attempt", &a)
		if a.Err != nil {
			noSecretIn(t, "Attempt.Err", a.Err)
			noSecretInTree(t, a.Err)
		}
	}
	noSecret(t, "text log", logs[0].String())
	noSecret(t, "JSON log", logs[1].String())
	noSecretIn(t, "Client", c)
}

// noSecretInTree checks the errors that errors.As finds in err.
func noSecretInTree(t *testing.T, err error) {
	t.Helper()
	var response *client.ErrorResponse
	if errors.As(err, &response) {
		noSecretIn(t, "*ErrorResponse", response)
		noSecretIn(t, "ErrorResponse", *response)
		noSecret(t, "Message", response.Message)
	}
	var urlError *url.Error
	for cause := err; errors.As(cause, &urlError); cause = urlError.Err {
		noSecretIn(t, "*url.Error", urlError)
	}
	var netError net.Error
	if errors.As(err, &netError) {
		noSecretIn(t, "net.Error", netError)
	}
	var opError *net.OpError
	if errors.As(err, &opError) {
		noSecretIn(t, "*net.OpError", opError)
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
