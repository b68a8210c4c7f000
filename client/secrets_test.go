package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jarcoal/httpmock"

	"github.com/oneloop-ai/oneloop-go/client"
)

// oddToken has what URLs, Go and JSON each quote in a way of their own.
const oddToken = `lt canary+"<é>%&?#'` + "\u00a0" + `;=d93b5f`

// hasSecret returns the secret that stands in text, in any usual encoding.
func hasSecret(text string) string {
	for _, secret := range []string{testKey, testToken, oddToken} {
		inJSON, _ := json.Marshal(secret)
		for _, form := range []string{
			secret, url.PathEscape(secret), url.QueryEscape(secret), (&url.URL{Path: secret}).EscapedPath(),
			strconv.Quote(secret), strconv.QuoteToASCII(secret), string(inJSON),
			base64.StdEncoding.EncodeToString([]byte(secret))[:24], // as the beginning of a []byte in JSON
		} {
			if strings.Contains(text, strings.Trim(form, `"`)) {
				return form
			}
		}
	}
	return ""
}

func noSecret(tb testing.TB, what, text string) {
	tb.Helper()
	if secret := hasSecret(text); secret != "" {
		tb.Errorf("%s shows %s: %s", what, secret, text)
	}
}

// noSecretIn prints v in every way that fmt and slog know.
func noSecretIn(tb testing.TB, what string, v any) {
	tb.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%#q", "%+q", "%d", "%x", "%t", "%c", "%5.2v"} {
		noSecret(tb, what+" "+verb, fmt.Sprintf(verb, v))
	}
	noSecret(tb, what+" in fmt.Errorf", fmt.Errorf("wrapped: %v", v).Error())
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"slog text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"slog JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out)).Info("message", "attr", v, slog.Group("group", "attr", v))
		noSecret(tb, what+" "+name, out.String())
	}
}

// walk calls visit with err and all that it unwraps to.
func walk(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			walk(err, visit)
		}
	}
}

// ownError is a transport's own error, which says more than it should.
type ownError struct{ URL, Authorization string }

func (e *ownError) Error() string { return "no route for " + e.URL + " with " + e.Authorization }

// captureStderr collects what is written to stderr and to package log.
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
		w.Close()
		return <-all
	}
}

// echo says everything that it was told.
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

type failureClass struct {
	name string
	// client returns a Client whose calls fail.
	client func(t *testing.T, opts ...client.Option) *client.Client
	ctx    func(context.Context) (context.Context, context.CancelFunc)
	check  func(error) bool
}

func onWire(handler http.HandlerFunc) func(*testing.T, ...client.Option) *client.Client {
	return func(t *testing.T, opts ...client.Option) *client.Client {
		server := serve(t, handler)
		c := newClient(t, append(opts, client.WithBaseURL(server.URL))...)
		return c
	}
}

func inProcessOnly(step roundTripFunc) func(*testing.T, ...client.Option) *client.Client {
	return func(t *testing.T, opts ...client.Option) *client.Client {
		return newClient(t, append(opts, via(step))...)
	}
}

func at(baseURL string, hc *http.Client, t *testing.T, opts []client.Option) *client.Client {
	t.Helper()
	return newClient(t, append(opts, client.WithBaseURL(baseURL), client.WithHTTPClient(hc))...)
}

func isResponse(status int) func(error) bool {
	return func(err error) bool {
		var e *client.ErrorResponse
		return errors.As(err, &e) && e.StatusCode == status
	}
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func as[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

func failureClasses() []failureClass {
	hangOnWire := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}
	cancelled := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(20*time.Millisecond, cancel)
		return ctx, cancel
	}
	classes := []failureClass{
		{name: "refused", client: func(t *testing.T, opts ...client.Option) *client.Client {
			return at("https://"+closedPort(t), &http.Client{}, t, opts)
		}, check: as[*net.OpError]},
		{name: "cut before the answer", client: onWire(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), check: is(io.EOF)},
		{name: "cut in the answer", client: onWire(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, r.RequestURI)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}), check: is(io.ErrUnexpectedEOF)},
		{name: "hanging, attempt timeout", client: onWire(hangOnWire), check: is(context.DeadlineExceeded)},
		{name: "hanging, deadline", client: onWire(hangOnWire), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 20*time.Millisecond)
		}, check: is(context.DeadlineExceeded)},
		{name: "hanging, cancelled", client: onWire(hangOnWire), ctx: cancelled, check: is(context.Canceled)},
		{name: "hanging in the answer", client: onWire(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.RequestURI)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}), check: is(context.DeadlineExceeded)},
		{name: "cancelled before", client: onWire(hangOnWire), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, check: is(context.Canceled)},
		{name: "cancelled with a cause", client: onWire(hangOnWire), ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("user left")) })
			return ctx, func() { cancel(nil) }
		}, check: is(context.Canceled)},
		{name: "http.Client.Timeout", client: func(t *testing.T, opts ...client.Option) *client.Client {
			server := httptest.NewServer(http.HandlerFunc(hangOnWire))
			t.Cleanup(server.Close)
			return at(server.URL, &http.Client{Timeout: 10 * time.Millisecond}, t, opts)
		}, check: func(err error) bool { return err != nil }},
		{name: "TLS, unknown authority", client: func(t *testing.T, opts ...client.Option) *client.Client {
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			t.Cleanup(server.Close)
			return at(server.URL, &http.Client{}, t, opts)
		}, check: as[*tls.CertificateVerificationError]},
		{name: "no TLS at the other end", client: func(t *testing.T, opts ...client.Option) *client.Client {
			server := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(server.Close)
			return at(strings.Replace(server.URL, "http://", "https://", 1), &http.Client{}, t, opts)
		}, check: as[tls.RecordHeaderError]},
		{name: "no HTTP at the other end", client: func(t *testing.T, opts ...client.Option) *client.Client {
			repeating := func(conn net.Conn) {
				buf := make([]byte, 4096)
				n, _ := conn.Read(buf)
				_, _ = conn.Write(buf[:n]) // the request itself, in the clear
			}
			return at("http://"+listen(t, repeating), &http.Client{}, t, opts)
		}, check: func(err error) bool { return err != nil }},
		{name: "proxy refused", client: func(t *testing.T, opts ...client.Option) *client.Client {
			proxy := &url.URL{Scheme: "http", Host: closedPort(t)}
			return at("https://gw.example", &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}}, t, opts)
		}, check: as[*net.OpError]},
		{name: "HTML in a 200", client: onWire(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "<html>"+r.RequestURI+r.Header.Get("Authorization"))
		}), check: is(client.ErrMalformedResponse)},
		{name: "echo as the content type of a 200", client: onWire(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", r.URL.Path+r.Header.Get("Authorization"))
		}), check: is(client.ErrMalformedResponse)},
		{name: "echo as the wrong type in a 200", client: onWire(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"expiresAt": r.URL.Path, "valid": r.URL.Path, r.URL.Path: "1"})
		}), check: is(client.ErrMalformedResponse)},
		{name: "oversize 200", client: inProcessOnly(responds(200, strings.Repeat(testToken+testKey, 1<<16))), check: is(client.ErrMalformedResponse)},
		{name: "a transport's own error", client: inProcessOnly(func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("transport: %w", &ownError{req.URL.String(), req.Header.Get("Authorization")})
		}), check: as[*ownError]},
		{name: "a transport's *url.Error", client: inProcessOnly(func(req *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}
		}), check: func(err error) bool {
			return errors.Is(err, syscall.ECONNRESET) && as[*net.OpError](err) && as[*url.Error](err)
		}},
		{name: "a transport's wrapped *url.Error", client: inProcessOnly(func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%q: %w", req.URL.Path, &url.Error{Op: "Get", URL: req.URL.String(), Err: io.EOF})
		}), check: is(io.EOF)},
		{name: "httpmock without a responder", client: func(t *testing.T, opts ...client.Option) *client.Client {
			return newClient(t, append(opts, via(httpmock.NewMockTransport()))...)
		}, check: func(err error) bool { return strings.Contains(err.Error(), "no responder found") }},
		{name: "a 503, then a cut", client: func(t *testing.T, opts ...client.Option) *client.Client {
			return newClient(t, append(opts, via(newScript(responds(503, `{"error":{"code":1,"message":"`+testKey+`"}}`), fails(io.ErrUnexpectedEOF))))...)
		}, check: func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) && isResponse(503)(err) }},
		{name: "a message of the key alone", client: inProcessOnly(responds(401, `{"error":{"code":1,"message":"`+testKey+`"}}`)), check: isResponse(401)},
	}
	for _, status := range []int{302, 307, 400, 401, 403, 404, 429, 500, 503} {
		classes = append(classes, failureClass{
			name:   fmt.Sprint("echo in a ", status),
			client: onWire(func(w http.ResponseWriter, r *http.Request) { echo(w, r, status) }),
			check:  isResponse(status),
		})
	}
	return classes
}

func TestErrorsShowNoSecret(t *testing.T) {
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
	for _, class := range failureClasses() {
		for name, call := range calls {
			t.Run(class.name+"/"+name, func(t *testing.T) {
				stderr := captureStderr(t)
				var logs [2]bytes.Buffer
				debug := &slog.HandlerOptions{Level: slog.LevelDebug}
				logText := client.LogAttempts(slog.New(slog.NewTextHandler(&logs[0], debug)))
				logJSON := client.LogAttempts(slog.New(slog.NewJSONHandler(&logs[1], debug)))
				var attempts []client.Attempt
				policy := quickPolicy
				if strings.HasPrefix(class.name, "hanging") {
					policy.AttemptTimeout = 50 * time.Millisecond
				}
				c := class.client(t,
					client.WithRetryPolicy(policy),
					client.WithObserver(func(ctx context.Context, a client.Attempt) {
						attempts = append(attempts, a)
						logText(ctx, a)
						logJSON(ctx, a)
					}))
				ctx := t.Context()
				if class.ctx != nil {
					var cancel context.CancelFunc
					ctx, cancel = class.ctx(ctx)
					defer cancel()
				}
				err := call(ctx, c)
				if written := stderr(); written != "" {
					t.Errorf("stderr: %s", written)
				}
				if err == nil {
					t.Fatal("the call did not fail")
				}
				if !class.check(err) {
					t.Errorf("the cause is lost: %v", err)
				}
				walk(err, func(err error) {
					noSecretIn(t, fmt.Sprintf("%T", err), err)
					// A common mistake, for which fmt asks no method of err.
					mistaken := "%w"
					noSecret(t, fmt.Sprintf("%T %%w", err), fmt.Sprintf(mistaken, err))
				})
				var response *client.ErrorResponse
				if errors.As(err, &response) {
					noSecretIn(t, "*ErrorResponse", response)
					noSecretIn(t, "ErrorResponse", *response)
					noSecret(t, "Message", response.Message)
				}
				var urlError *url.Error
				if errors.As(err, &urlError) {
					noSecretIn(t, "*url.Error", urlError)
				}
				var netError net.Error
				if errors.As(err, &netError) {
					noSecretIn(t, "net.Error", netError)
				}
				for _, a := range attempts {
					noSecretIn(t, "Attempt", a)
					noSecretIn(t, "*Attempt", &a)
					walk(a.Err, func(err error) { noSecretIn(t, "Attempt.Err", err) })
				}
				noSecret(t, "text log", logs[0].String())
				noSecret(t, "JSON log", logs[1].String())
				noSecretIn(t, "Client", c)
			})
		}
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	c := newClient(t, via(http.DefaultTransport))
	token := client.LinkToken{Token: testToken, ExpiresAt: time.Unix(1893456000, 0).UTC()}
	for name, v := range map[string]any{
		"Client":            *c,
		"*Client":           c,
		"struct of Client":  struct{ C *client.Client }{c},
		"LinkToken":         token,
		"*LinkToken":        &token,
		"[]LinkToken":       []client.LinkToken{token},
		"struct of pointer": struct{ T *client.LinkToken }{&token},
		"nil *Client":       (*client.Client)(nil),
		"nil *LinkToken":    (*client.LinkToken)(nil),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			noSecret(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
	}
	noSecretIn(t, "LinkToken", token)
	noSecretIn(t, "*LinkToken", &token)
	noSecretIn(t, "Client", c)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		noSecret(t, "LinkToken in a struct "+verb, fmt.Sprintf(verb, struct {
			Name  string
			Token client.LinkToken
		}{"n", token}))
	}
	if got, want := fmt.Sprint(token), "link token [redacted] until 2030-01-01T00:00:00Z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := fmt.Sprint(c), "oneloop client for "+client.DefaultBaseURL; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	encoded, err := json.Marshal(token)
	if err != nil || !strings.Contains(string(encoded), testToken) {
		t.Errorf("got %s, %v, want the token in it", encoded, err)
	}
	encoded, err = json.Marshal(struct{ Client any }{c})
	if err != nil || hasSecret(string(encoded)) != "" {
		t.Errorf("got %s, %v, want no key in it", encoded, err)
	}
}

// Body is as received: it is for code, not for logs.
func TestErrorResponseKeepsTheBodyAsReceived(t *testing.T) {
	body := `{"error":{"code":1,"message":"` + testToken + `"}}`
	received := response(400, body, "X-Echo", testToken)
	s := newScript(func(*http.Request) (*http.Response, error) { return received, nil })
	_, err := validate.call(t.Context(), newClient(t, via(s)))
	if got := received.Header.Get("X-Echo"); got != testToken {
		t.Errorf("the transport's own header was changed to %q", got)
	}
	e := asResponse(t, err)
	if string(e.Body) != body || e.Header.Get("X-Echo") != "[redacted]" || e.Message != "[redacted]" {
		t.Errorf("got body %s, header %v, message %q", e.Body, e.Header, e.Message)
	}
}

// What is too short to be a secret is not cut out of ordinary words.
func TestShortSecretsLeaveTextsAlone(t *testing.T) {
	s := newScript(responds(400, `{"error":{"code":1,"message":"unknown token"}}`))
	_, err := newClient(t, via(s)).ValidateLinkToken(t.Context(), "tok")
	if got := asResponse(t, err).Message; got != "unknown token" {
		t.Errorf("got %q", got)
	}
	s = newScript(responds(400, `{"error":{"code":1,"message":"unknown token lt_12345"}}`))
	_, err = newClient(t, via(s)).ValidateLinkToken(t.Context(), "lt_12345")
	if got := asResponse(t, err).Message; got != "unknown token [redacted]" {
		t.Errorf("got %q", got)
	}
}

// A link token that contains the SDK key is redacted whole.
func TestOverlappingSecrets(t *testing.T) {
	s := newScript(responds(400, `{"error":{"code":1,"message":"HEAD`+testKey+`TAIL"}}`))
	_, err := newClient(t, via(s)).ValidateLinkToken(t.Context(), "HEAD"+testKey+"TAIL")
	if got := asResponse(t, err).Message; got != "[redacted]" {
		t.Errorf("got %q", got)
	}
}

// What a transport says can't forge or flood a log.
func TestTransportErrorsAreOneShortLine(t *testing.T) {
	var attempts []client.Attempt
	s := newScript(fails(errors.New("a\r\nlevel=INFO " + strings.Repeat("é", 1<<20))))
	c := newClient(t, via(s), quick, record(&attempts))
	_, err := validate.call(t.Context(), c)
	for _, err := range []error{err, attempts[0].Err} {
		if text := err.Error(); strings.ContainsAny(text, "\r\n") || len(text) > 2<<10 || !utf8.ValidString(text) {
			t.Errorf("got %d bytes: %.100q", len(text), text)
		}
	}
}
