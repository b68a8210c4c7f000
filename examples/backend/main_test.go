package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// start runs the backend on a free port. It returns the backend's URL, and a function
// that stops the backend and returns the output and error of run.
func start(t *testing.T, vars map[string]string, args ...string) (url string, stop func() (out string, err error)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, append(args, "-addr", "localhost:0"), env(vars), writer)
		writer.Close()
		done <- err
	}()
	var out strings.Builder
	lines := bufio.NewScanner(reader)
	for url == "" && lines.Scan() {
		out.WriteString(lines.Text() + "\n")
		if rest, ok := strings.CutPrefix(lines.Text(), "Open "); ok {
			url, _, _ = strings.Cut(rest, " ")
		}
	}
	if url == "" {
		t.Fatalf("run ended with %v:\n%s", <-done, &out)
	}
	return url, func() (string, error) {
		cancel()
		for lines.Scan() {
			out.WriteString(lines.Text() + "\n")
		}
		return out.String(), <-done
	}
}

func TestRun(t *testing.T) {
	oneloop := httptest.NewServer(clienttest.NewAPI())
	defer oneloop.Close()
	const onFake = "Calling a fake API in this process because of -fake."
	withKey := map[string]string{"ONELOOP_SDK_KEY": clienttest.SDKKey, "ONELOOP_BASE_URL": oneloop.URL}
	for name, test := range map[string]struct {
		args   []string
		env    map[string]string
		output string // part of it
		fake   bool
	}{
		"key":            {nil, withKey, "Calling " + oneloop.URL, false},
		"fake":           {[]string{"-fake"}, nil, onFake, true},
		"fake and a key": {[]string{"-fake"}, map[string]string{"ONELOOP_SDK_KEY": "sdk_wrong", "ONELOOP_BASE_URL": "http://oneloop.example"}, onFake, true},
	} {
		t.Run(name, func(t *testing.T) {
			url, stop := start(t, test.env, test.args...)
			jar, _ := cookiejar.New(nil)
			browser := &http.Client{Jar: jar}
			send := func(method, path, linkToken string) *http.Response {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if linkToken != "" {
					r.Header.Set("Authorization", "Bearer "+linkToken)
				}
				resp, err := browser.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { resp.Body.Close() })
				return resp
			}

			refused(t, send(http.MethodPost, "link-token", ""), http.StatusUnauthorized, "not signed in")
			page, err := io.ReadAll(send(http.MethodGet, "", "").Body)
			if err != nil || !bytes.Contains(page, []byte("Get a link token")) {
				t.Errorf("got page %q, %v", page, err)
			}
			if got := bytes.Contains(page, []byte("This runs on a fake API")); got != test.fake {
				t.Errorf("the page mentions the fake: %t, want %t", got, test.fake)
			}
			var token client.LinkToken
			decode(t, send(http.MethodPost, "link-token", ""), &token)
			refused(t, send(http.MethodGet, "whoami", ""), http.StatusUnauthorized, "no session")
			refused(t, send(http.MethodPost, "session", token.Token), http.StatusNoContent, "")
			var got session
			decode(t, send(http.MethodGet, "whoami", ""), &got)
			if got.CustomerID != demoCustomer || got.WorkspaceID != demoWorkspace {
				t.Errorf("got %+v", got)
			}
			want := http.StatusNotFound
			if test.fake {
				want = http.StatusNoContent
			}
			if got := send(http.MethodDelete, "_fake/faults", "").StatusCode; got != want {
				t.Errorf("the control endpoint responds with %d, want %d", got, want)
			}

			out, err := stop()
			if err != nil {
				t.Errorf("run ended with %v", err)
			}
			if !strings.Contains(out, test.output) || strings.Contains(out, "fake") != test.fake || strings.Contains(out, clienttest.SDKKey) {
				t.Errorf("the output is:\n%s", out)
			}
			if conn, err := net.Dial("tcp", strings.Trim(strings.TrimPrefix(url, "http:"), "/")); err == nil {
				conn.Close()
				t.Error("the port is still open")
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"port in use":  {args: []string{"-fake", "-addr", taken.Addr().String()}, want: "bind"},
		"bad address":  {args: []string{"-fake", "-addr", "nowhere"}, want: "missing port"},
		"unknown flag": {args: []string{"-nope"}, want: "nope"},
		"argument":     {args: []string{"nope"}, want: "nope"},
		"no SDK key":   {want: "ONELOOP_SDK_KEY is not set"},
		"empty key":    {env: map[string]string{"ONELOOP_SDK_KEY": ""}, want: "use -fake"},
		"bad SDK key":  {env: map[string]string{"ONELOOP_SDK_KEY": "sdk wrong"}, want: "SDK key"},
		"plain http": {
			env:  map[string]string{"ONELOOP_SDK_KEY": "sdk_wrong", "ONELOOP_BASE_URL": "http://oneloop.example"},
			want: "WithBaseURL",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), test.args, env(test.env), new(bytes.Buffer))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
		})
	}
}

func TestInsecureHTTP(t *testing.T) {
	vars := map[string]string{
		"ONELOOP_SDK_KEY":       clienttest.SDKKey,
		"ONELOOP_BASE_URL":      "http://oneloop.example",
		"ONELOOP_INSECURE_HTTP": "1",
	}
	if _, err := newClient(nil, env(vars), io.Discard); err != nil {
		t.Error(err)
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, env(nil), &out); err != nil || !strings.Contains(out.String(), `(default "localhost:8080")`) {
		t.Errorf("got %v and:\n%s", err, &out)
	}
}

// A pipeListener accepts connections from a channel. They are in memory, so that a
// server can run in a synctest bubble.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{make(chan net.Conn), make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestServeShutdown stops the server while a request is in progress.
func TestServeShutdown(t *testing.T) {
	for name, test := range map[string]struct {
		takes    time.Duration // how long the request takes
		response bool          // whether the client receives a response
		wantErr  error
	}{
		"no delay":   {0, true, nil},
		"4 seconds":  {4 * time.Second, true, nil},
		"10 seconds": {10 * time.Second, true, nil},
		"an hour":    {time.Hour, false, context.DeadlineExceeded},
	} {
		inBubble(t, name, func(t *testing.T) {
			listener := newPipeListener()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- serve(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-time.After(test.takes):
						w.WriteHeader(http.StatusNoContent)
					case <-r.Context().Done():
					}
				}))
			}()
			near, far := net.Pipe()
			defer near.Close()
			listener.conns <- far
			go io.WriteString(near, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
			synctest.Wait()
			start := time.Now()
			cancel()
			resp, err := http.ReadResponse(bufio.NewReader(near), nil)
			if got := err == nil && resp.StatusCode == http.StatusNoContent; got != test.response {
				t.Errorf("got a response: %t (%v), want %t", got, err, test.response)
			}
			if err := <-done; !errors.Is(err, test.wantErr) {
				t.Errorf("got %v, want %v", err, test.wantErr)
			}
			if took := time.Since(start); took > 21*time.Second {
				t.Errorf("the shutdown took %v, want at most 21 s", took)
			}
		})
	}
}

func TestServeFails(t *testing.T) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := serve(t.Context(), listener, http.NotFoundHandler()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want %v", err, net.ErrClosed)
	}
}
