package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A sibling is the type of errSibling, which stands for the error of another call. An
// errgroup makes such an error the cause of its context.
type sibling struct{ *client.ErrorResponse }

func (s *sibling) Unwrap() error { return s.ErrorResponse }

var errSibling = &sibling{&client.ErrorResponse{Operation: "validateLinkToken", StatusCode: 400, Message: "of another call"}}

// matchesSibling reports what of a sibling's error errors.Is or errors.As finds in
// err.
func matchesSibling(err error) string {
	var response *client.ErrorResponse
	switch {
	case errors.As(err, new(*sibling)):
		return "its type"
	case errors.Is(err, client.ErrBadRequest):
		return "its sentinel"
	case errors.As(err, &response) && response.StatusCode == 400:
		return "its response"
	}
	return ""
}

// endings are ways in which a program ends a context with a sibling's error as the
// cause.
var endings = map[string]struct {
	end  func(context.Context, time.Duration) (context.Context, context.CancelFunc)
	want error
}{
	"canceled": {func(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(after, func() { cancel(errSibling) })
		return ctx, func() { cancel(nil) }
	}, context.Canceled},
	"deadline": {func(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeoutCause(ctx, after, errSibling)
	}, context.DeadlineExceeded},
}

// The cause of a context is not the error of this call: a link token must not seem
// invalid because another call got a 400. Not parallel: it replaces
// http.DefaultTransport.
func TestContextCauseIsNotMatched(t *testing.T) {
	caused := func(req *http.Request) (*http.Response, error) { return nil, cause(req.Context()) }
	wrapped := func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("mesh: %w", &url.Error{Op: "Get", URL: req.URL.String(), Err: cause(req.Context())})
	}
	inBody := withBody(200, func(ctx context.Context) io.Reader { return causeReader{ctx} })
	for name, test := range map[string]struct {
		protocol string            // of the server, if there are no steps
		steps    []roundTripFunc   // of the transport
		source   func(error) error // the key source's error
		delay    time.Duration     // before the call
	}{
		"before the call":     {steps: []roundTripFunc{responds(200, generated)}, delay: time.Minute},
		"HTTP/1.1":            {protocol: "HTTP/1.1"},
		"HTTP/2":              {protocol: "HTTP/2"},
		"transport":           {steps: []roundTripFunc{caused}},
		"transport, wrapped":  {steps: []roundTripFunc{wrapped}},
		"transport, hidden":   {steps: []roundTripFunc{hangsSilently}},
		"body":                {steps: []roundTripFunc{inBody}},
		"second attempt":      {steps: []roundTripFunc{responds(502, ""), caused}},
		"waiting for a retry": {steps: []roundTripFunc{responds(503, "", "Retry-After", "3")}},
		"key source":          {source: func(err error) error { return err }},
		"key source, wrapped": {source: func(err error) error {
			return &url.Error{Op: "Get", URL: "https://vault.example", Err: err}
		}},
	} {
		for how, ending := range endings {
			if name == "waiting for a retry" && how == "deadline" {
				continue // the call ends at once
			}
			for _, op := range operations {
				t.Run(name+"/"+how+"/"+op.name, func(t *testing.T) {
					withPipes(t, test.protocol, hangOnWire, func(t *testing.T, server *pipeServer) {
						var attempts []client.Attempt
						key, opts := testKey, []client.Option{client.WithBaseURL(server.baseURL), record(&attempts)}
						if test.steps != nil {
							opts = append(opts, via(newScript(test.steps...)))
						}
						if test.source != nil {
							key, opts = "", append(opts, client.WithKeySource(func(ctx context.Context) (string, error) {
								return "", test.source(cause(ctx))
							}))
						}
						c, err := client.New(key, opts...)
						if err != nil {
							t.Fatal(err)
						}
						defer c.CloseIdleConnections()
						ctx, cancel := ending.end(t.Context(), time.Second)
						defer cancel()
						time.Sleep(test.delay)
						_, err = op.call(ctx, c)
						if !errors.Is(err, ending.want) {
							t.Errorf("%v does not match %v", err, ending.want)
						}
						for _, err := range allErrors(err, attempts) {
							if found := matchesSibling(err); found != "" {
								t.Errorf("%v matches %s of the context's cause", err, found)
							}
						}
					})
				})
			}
		}
	}
}

// cause waits until ctx ends and returns the cause, as net/http does.
func cause(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

type causeReader struct{ ctx context.Context }

func (r causeReader) Read([]byte) (int, error) { return 0, cause(r.ctx) }

// errors.As finds the error of a key source as it is.
func TestKeySourceErrorAsItIs(t *testing.T) {
	t.Parallel()
	fromVault := &url.Error{Op: "Get", URL: "https://vault.example/key", Err: &net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}}
	for name, err := range map[string]error{
		"bare":    fromVault,
		"wrapped": fmt.Errorf("vault: %w", fromVault),
	} {
		t.Run(name, func(t *testing.T) {
			c, newErr := client.New("", via(newScript(responds(200, validated))),
				client.WithKeySource(func(context.Context) (string, error) { return "", err }))
			if newErr != nil {
				t.Fatal(newErr)
			}
			_, got := validate.call(t.Context(), c)
			var found *url.Error
			if !errors.Is(got, err) || !errors.As(got, &found) || found != fromVault {
				t.Errorf("found %#v in %v, want %#v", found, got, fromVault)
			}
			var timeout net.Error
			if !errors.As(got, &timeout) || !timeout.Timeout() {
				t.Errorf("errors.As finds %#v in %v, want a timeout", timeout, got)
			}
		})
	}
}

// A *url.Error holds the link token, so the Client keeps only what the innermost one
// in a transport's error wraps.
func TestNoURLErrorFromTransport(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	with := func(req *http.Request, err error) error {
		return &url.Error{Op: "Get", URL: req.URL.String(), Err: err}
	}
	for name, fail := range map[string]func(*http.Request) error{
		"one":            func(req *http.Request) error { return with(req, reset) },
		"two":            func(req *http.Request) error { return with(req, with(req, reset)) },
		"wrapped":        func(req *http.Request) error { return fmt.Errorf("mesh: %w", with(req, reset)) },
		"wrapped in one": func(req *http.Request) error { return with(req, fmt.Errorf("mesh: %w", with(req, reset))) },
		"joined":         func(req *http.Request) error { return errors.Join(io.EOF, with(req, reset)) },
		"by an As method": func(req *http.Request) error {
			return convertible{with(req, with(req, reset)).(*url.Error)}
		},
		"of an http.Client": func(req *http.Request) error {
			_, err := (&http.Client{Transport: fails(with(req, reset))}).Get(req.URL.String())
			return err
		},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				var attempts []client.Attempt
				_, err := op.call(t.Context(), newClient(t, quick, record(&attempts),
					via(roundTripFunc(func(req *http.Request) (*http.Response, error) { return nil, fail(req) }))))
				for _, err := range allErrors(err, attempts) {
					noSecretIn(t, "the error", err)
					if !errors.Is(err, syscall.ECONNRESET) || !as[*net.OpError](err) {
						t.Errorf("%v does not match its cause", err)
					}
					checkNoURL(t, err)
				}
			})
		}
	}
}

// checkNoURL checks that no way leads from err to a *url.Error.
func checkNoURL(t *testing.T, err error) {
	t.Helper()
	var found *url.Error
	if errors.As(err, &found) {
		t.Errorf("errors.As finds %#v", found)
	}
	check := func(found error) {
		noSecretIn(t, "an error in it", found)
		if errors.As(found, new(*url.Error)) {
			t.Errorf("errors.As finds a *url.Error by way of %#v", found)
		}
	}
	var one interface {
		error
		Unwrap() error
	}
	if errors.As(err, &one) {
		check(one)
	}
	var many interface {
		error
		Unwrap() []error
	}
	if errors.As(err, &many) {
		check(many)
	}
	var netError net.Error
	if errors.As(err, &netError) {
		check(netError)
	}
}

// An observer may keep an *ErrorResponse. It always describes the attempt.
func TestObservedErrorResponsesDontChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var kept []*client.ErrorResponse
		var before []string
		describe := func(e *client.ErrorResponse) string {
			return fmt.Sprintf("%v %d %+v %q", e, e.Attempts, e.Header, e.Body)
		}
		c := newClient(t, via(newScript(responds(503, "", "Retry-After", "1"), responds(500, "x"), responds(503, "", "Retry-After", "60"))),
			client.WithObserver(func(_ context.Context, a client.Attempt) {
				e := asResponse(t, a.Err)
				kept, before = append(kept, e), append(before, describe(e))
			}))
		_, err := validate.call(t.Context(), c)
		if asResponse(t, err).Attempts != 3 || len(kept) != 3 {
			t.Fatalf("got %v after %d attempts, want 3", err, len(kept))
		}
		for i, e := range kept {
			if got := describe(e); got != before[i] {
				t.Errorf("attempt %d: changed from %s to %s", i+1, before[i], got)
			}
		}
	})
}

// If a server refuses a stream, net/http sends the request again on the same
// connection. Nothing is closed. Not parallel: it replaces http.DefaultTransport.
func TestRefusedStreams(t *testing.T) {
	for _, op := range operations {
		for _, kind := range []string{"own transport", "custom transport"} {
			t.Run(kind+"/"+op.name, func(t *testing.T) {
				server := newFrameServer(t, func(c frameConn, stream uint32) bool {
					c.frame(3, 0, stream, 0, 0, 0, 7) // RST_STREAM, REFUSED_STREAM
					return true
				})
				synctest.Test(t, func(t *testing.T) {
					transport := server.transport()
					transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
						ours, theirs := pipe()
						go server.serve(theirs)
						return ours, nil
					}
					defer transport.CloseIdleConnections()
					var attempts []client.Attempt
					opts := []client.Option{client.WithTimeout(0), client.WithBaseURL(server.baseURL), record(&attempts)}
					if kind == "own transport" {
						setDefaultTransport(t, transport)
					} else {
						opts = append(opts, via(transport))
					}
					c := newClient(t, opts...)
					var wg sync.WaitGroup
					for range 5 { // with a single stream, the connection counts as idle
						wg.Go(func() {
							_, err := op.call(t.Context(), c)
							checkNotClosed(t, allErrors(err, nil))
						})
					}
					wg.Wait()
					checkNotClosed(t, allErrors(nil, attempts))
					c.CloseIdleConnections()
					time.Sleep(time.Hour) // until replaced transports have closed theirs
				})
			})
		}
	}
}

func checkNotClosed(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		if strings.Contains(err.Error(), "closed") {
			t.Errorf("%q, but no connection was closed", err)
		}
	}
}

// A transport may retry on its own. However many connections it uses, the response
// that it returns counts.
func TestTransportThatRetries(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }),
				func(s *httptest.Server) { s.Config.SetKeepAlivesEnabled(false) })
			base := new(http.Transport)
			transport := roundTripFunc(func(req *http.Request) (resp *http.Response, err error) {
				for range 6 {
					again := req.Clone(req.Context())
					if req.GetBody != nil {
						again.Body, _ = req.GetBody()
					}
					if resp, err = base.RoundTrip(again); err != nil {
						return nil, err
					}
				}
				return resp, nil
			})
			var attempts []client.Attempt
			_, err := op.call(t.Context(), newClient(t, via(transport), client.WithBaseURL(server.URL), quick, record(&attempts)))
			if !errors.Is(err, client.ErrServer) {
				t.Errorf("got %v, want ErrServer", err)
			}
			checkNotClosed(t, allErrors(err, attempts))
		})
	}
}

// pipe is like net.Pipe, but writes to ours don't wait for reads from theirs.
func pipe() (ours, theirs net.Conn) {
	ours, unbuffered := net.Pipe()
	s := &bufferedConn{Conn: unbuffered, buffer: make(chan []byte, 1000)}
	go func() {
		defer close(s.buffer)
		for {
			p := make([]byte, 4<<10)
			n, err := unbuffered.Read(p)
			if err != nil {
				return
			}
			s.buffer <- p[:n]
		}
	}()
	return ours, s
}

type bufferedConn struct {
	net.Conn
	buffer chan []byte
	unread []byte
}

func (c *bufferedConn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		c.unread = <-c.buffer
	}
	if len(c.unread) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}
