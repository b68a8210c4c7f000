package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/client"
)

// urlErrors calls visit for each *url.Error that errors.As finds in err, in the
// error that this one wraps, and so on.
func urlErrors(err error, visit func(*url.Error)) {
	var u *url.Error
	for errors.As(err, &u) {
		visit(u)
		err, u = u.Err, nil
	}
}

// A *url.Error prints its URL, which contains the link token. A custom transport may
// return several of them, nested.
func TestURLErrorsShowNoSecret(t *testing.T) {
	t.Parallel()
	leak := func(req *http.Request, err error) *url.Error {
		return &url.Error{Op: "Get", URL: req.URL.String() + "?key=" + strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "), Err: err}
	}
	reset := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	for name, transport := range map[string]roundTripFunc{
		"one":     func(req *http.Request) (*http.Response, error) { return nil, leak(req, reset) },
		"two":     func(req *http.Request) (*http.Response, error) { return nil, leak(req, leak(req, reset)) },
		"three":   func(req *http.Request) (*http.Response, error) { return nil, leak(req, leak(req, leak(req, reset))) },
		"wrapped": func(req *http.Request) (*http.Response, error) { return nil, fmt.Errorf("mesh: %w", leak(req, reset)) },
		"wrapped in one": func(req *http.Request) (*http.Response, error) {
			return nil, leak(req, fmt.Errorf("mesh: %w", leak(req, reset)))
		},
		"joined": func(req *http.Request) (*http.Response, error) { return nil, errors.Join(io.EOF, leak(req, reset)) },
		"two joined": func(req *http.Request) (*http.Response, error) {
			return nil, errors.Join(leak(req, io.EOF), leak(req, reset))
		},
		"joined in one": func(req *http.Request) (*http.Response, error) {
			return nil, leak(req, errors.Join(io.EOF, leak(req, reset)))
		},
		"joined and joined": func(req *http.Request) (*http.Response, error) {
			return nil, errors.Join(io.EOF, errors.Join(fmt.Errorf("%w, %w", io.ErrNoProgress, leak(req, leak(req, reset)))))
		},
		"in its text": func(req *http.Request) (*http.Response, error) {
			return nil, leak(req, fmt.Errorf("no route for %s: %w", req.URL, reset))
		},
		"of its As method": func(req *http.Request) (*http.Response, error) { return nil, convertible{leak(req, leak(req, reset))} },
		"a client inside": func(req *http.Request) (*http.Response, error) {
			inner := req.Clone(req.Context())
			inner.Body, inner.GetBody, inner.ContentLength = nil, nil, 0
			_, err := (&http.Client{Transport: fails(leak(req, reset))}).Do(inner)
			return nil, err
		},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				var attempts []client.Attempt
				_, err := op.call(t.Context(), newClient(t, via(transport), quick, record(&attempts)))
				errs := []error{err}
				for _, a := range attempts {
					errs = append(errs, a.Err)
				}
				for _, err := range errs {
					noSecretIn(t, "the error", err)
					if !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("%v does not match its cause", err)
					}
					var op *net.OpError
					if !errors.As(err, &op) {
						t.Errorf("errors.As finds no *net.OpError in %v", err)
					}
					found := 0
					check := func(u *url.Error) {
						found++
						noSecretIn(t, "a *url.Error", u)
						noSecret(t, "its fields", fmt.Sprintf("%s %v %+v", u.URL, u.Err, u.Err))
					}
					urlErrors(err, check)
					if found == 0 {
						t.Errorf("errors.As finds no *url.Error in %v", err)
					}
					var asNet net.Error
					if errors.As(err, &asNet) {
						urlErrors(asNet, check)
					}
					var asTimeout interface{ Temporary() bool }
					if errors.As(err, &asTimeout) {
						if err, ok := asTimeout.(error); ok {
							urlErrors(err, check)
						}
					}
				}
			})
		}
	}
}

// convertible is an error that errors.As finds only through an As method.
type convertible struct{ as *url.Error }

func (convertible) Error() string          { return "no route" }
func (c convertible) Is(target error) bool { return errors.Is(c.as, target) }
func (c convertible) As(target any) bool   { return errors.As(c.as, target) }

// lineBreakers are characters that some programs treat as the end of a line, or
// that change the direction of the text around them.
const lineBreakers = "\r\n\v\f\u0085\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x1b\x7f\u009b"

// Text from a server, a transport or a key source must not forge log lines, or make
// them very long.
func TestErrorTextOneLine(t *testing.T) {
	t.Parallel()
	hostile := "no" + lineBreakers + "level=INFO user=admin"
	huge := strings.Repeat("é\u2028", 1<<19/5) + "."
	policy := client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1})
	for name, text := range map[string]string{"hostile": hostile, "huge": huge, "huge ASCII": strings.Repeat("x", 1<<19)} {
		source := client.WithKeySource(func(context.Context) (string, error) { return "", errors.New(text) })
		fromSource, err := client.New("", source, via(newScript(fails(io.EOF))))
		if err != nil {
			t.Fatal(err)
		}
		body := `{"error":{"code":1,"message":` + quoteJSON(text) + `}}`
		for from, c := range map[string]*client.Client{
			"server":       newClient(t, policy, via(newScript(responds(400, body)))),
			"server, late": newClient(t, quick, via(newScript(responds(503, body), fails(io.EOF)))),
			"transport":    newClient(t, policy, via(newScript(fails(errors.New(text))))),
			"key source":   fromSource,
		} {
			t.Run(from+"/"+name, func(t *testing.T) {
				_, err := validate.call(t.Context(), c)
				oneShortLine(t, err.Error())
				oneShortLine(t, fmt.Sprintf("%+v", err))
				var response *client.ErrorResponse
				if errors.As(err, &response) {
					oneShortLine(t, response.Error())
					if len(response.Message) > 1<<10 || !utf8.ValidString(response.Message) {
						t.Errorf("Message has %d bytes, want at most 1 KiB of valid UTF-8", len(response.Message))
					}
				}
			})
		}
		oneShortLine(t, (&client.ErrorResponse{StatusCode: 400, Message: text}).Error())
	}
}

func oneShortLine(t *testing.T, text string) {
	t.Helper()
	if strings.ContainsAny(text, lineBreakers) || len(text) > 2<<10 || !utf8.ValidString(text) {
		t.Errorf("not one short line but %d bytes: %+.200q", len(text), text)
	}
}

// A transport's *url.Error must not be found through errors that this package joins,
// either.
func TestNoURLThroughJoinedErrors(t *testing.T) {
	t.Parallel()
	c := newClient(t, via(roundTripFunc(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: io.EOF}
	})), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1, AttemptTimeout: time.Millisecond}))
	_, err := validate.call(t.Context(), c)
	if !errors.Is(err, io.EOF) {
		t.Fatalf("got %v, want an error that matches io.EOF", err)
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) && strings.Contains(fmt.Sprint(joined, joined.Unwrap()), testToken) {
		t.Errorf("got %v", joined)
	}
}
