package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// TestServe stops the server while a request is in progress.
func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	entered, leave := make(chan bool), make(chan bool)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		w.WriteHeader(http.StatusNoContent)
	})
	reader, writer := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- serve(ctx, "localhost:0", handler, writer) }()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url, _, _ := strings.Cut(strings.TrimPrefix(line, "Open "), " ")
	status := make(chan int, 1)
	go func() {
		resp, err := http.Get(url)
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-entered
	stop()
	close(leave)
	if got := <-status; got != http.StatusNoContent {
		t.Errorf("the request in progress got status %d, want 204", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", strings.Trim(strings.TrimPrefix(url, "http:"), "/")); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestServeFails(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := serve(t.Context(), taken.Addr().String(), http.NotFoundHandler(), io.Discard); err == nil {
		t.Error("listening on a port that is in use succeeded")
	}
}

func TestNewClient(t *testing.T) {
	server := httptest.NewServer(clienttest.NewAPI())
	defer server.Close()
	const elsewhere = "http://oneloop.example"
	for name, test := range map[string]struct {
		fake *clienttest.API
		env  map[string]string
		want string // part of the error, or ""
	}{
		"key":        {nil, map[string]string{"ONELOOP_SDK_KEY": clienttest.SDKKey, "ONELOOP_BASE_URL": server.URL}, ""},
		"fake":       {clienttest.NewAPI(), map[string]string{"ONELOOP_SDK_KEY": "sdk_other", "ONELOOP_BASE_URL": elsewhere}, ""},
		"no SDK key": {nil, map[string]string{"ONELOOP_BASE_URL": server.URL}, "ONELOOP_SDK_KEY is not set; to try this without a key, use -fake"},
		"plain http": {nil, map[string]string{"ONELOOP_SDK_KEY": "sdk_other", "ONELOOP_BASE_URL": elsewhere}, "WithBaseURL"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := newClient(test.fake, func(name string) string { return test.env[name] })
			if err == nil {
				defer c.CloseIdleConnections()
				_, err = c.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w"})
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
}

func TestInsecureHTTP(t *testing.T) {
	env := map[string]string{"ONELOOP_SDK_KEY": "sdk_any", "ONELOOP_BASE_URL": "http://oneloop.example", "ONELOOP_INSECURE_HTTP": "1"}
	if _, err := newClient(nil, func(name string) string { return env[name] }); err != nil {
		t.Error(err)
	}
}
