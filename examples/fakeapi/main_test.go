package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A process is a running fakeapi.
type process struct {
	baseURL, sdkKey string      // from its output
	stop            func()      // starts the shutdown
	ended           chan error  // receives the error of run
	log             chan string // receives the lines of standard error
}

func start(t *testing.T, args ...string) process {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	p := process{stop: stop, ended: make(chan error, 1), log: make(chan string, 100)}
	stdout, stdoutWriter := io.Pipe()
	stderr, stderrWriter := io.Pipe()
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), stdoutWriter, stderrWriter)
		stdoutWriter.Close()
		p.ended <- err
	}()
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.log <- lines.Text()
		}
	}()
	lines := bufio.NewReader(stdout)
	first, _ := lines.ReadString('\n')
	second, _ := lines.ReadString('\n')
	if _, err := fmt.Sscanf(first+second, "ONELOOP_BASE_URL=%s\nONELOOP_SDK_KEY=%s\n", &p.baseURL, &p.sdkKey); err != nil {
		t.Fatalf("the output is %q: %v; run returned %v", first+second, err, <-p.ended)
	}
	return p
}

func (p process) post(t *testing.T, path, body string) {
	t.Helper()
	resp, err := http.Post(p.baseURL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%s %s: %s", path, body, resp.Status)
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	p := start(t, "-key", "sdk_mine", "-lifetime", "1h")
	if p.sdkKey != "sdk_mine" {
		t.Errorf("got the key %q, want sdk_mine", p.sdkKey)
	}
	c, err := client.New(p.sdkKey, client.WithBaseURL(p.baseURL))
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	token, err := c.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w"})
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(token.ExpiresAt); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the link token lives for %v, want an hour", left)
	}
	p.stop()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
	if got := len(p.log); got > 0 {
		t.Errorf("without -v, it logs %q", <-p.log)
	}
}

// A shutdown waits for requests in progress, but not for one that never ends because
// of a fault.
func TestShutdown(t *testing.T) {
	for name, test := range map[string]struct {
		fault    string
		response bool
	}{
		"delay":   {`{"kind":"delay","delay":"300ms"}`, true},
		"silence": {`{"kind":"silence"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.post(t, "/_fake/faults", test.fault)
			got := make(chan error, 1)
			go func() {
				resp, err := http.Get(p.baseURL + "/api/v1/link-token/t")
				if err == nil {
					resp.Body.Close()
				}
				got <- err
			}()
			for !strings.Contains(get(t, p.baseURL+"/_fake/requests"), "validateLinkToken") {
				time.Sleep(time.Millisecond)
			}
			p.stop()
			if err := <-p.ended; err != nil {
				t.Error(err)
			}
			if err := <-got; (err == nil) != test.response {
				t.Errorf("the request in progress returned error %v, want a response: %t", err, test.response)
			}
		})
	}
}

// The fake keeps the requests that it has received, so it must not accept large ones.
func TestLargeRequests(t *testing.T) {
	t.Parallel()
	p := start(t)
	large := strings.Repeat("x", 1<<20)
	for range 3 {
		resp, err := http.Get(p.baseURL + "/api/v1/link-token/" + large)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a path of 1 MB got %s, want 431", resp.Status)
		}
	}
	c, err := client.New(p.sdkKey, client.WithBaseURL(p.baseURL))
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	_, err = c.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: large, WorkspaceID: "w"})
	if !errors.Is(err, client.ErrBadRequest) {
		t.Errorf("a body of 1 MB got %v, want ErrBadRequest", err)
	}
	if got := get(t, p.baseURL+"/_fake/requests"); len(got) > 1<<10 {
		t.Errorf("the fake keeps %d bytes of these requests", len(got))
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestRunFails(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag": {[]string{"-nope"}, "nope"},
		"bad lifetime": {[]string{"-lifetime", "long"}, "-lifetime"},
		"empty key":    {[]string{"-key", ""}, "-key: "},
		"bad key":      {[]string{"-key", "sdk test"}, "-key: "},
		"argument":     {[]string{"nope"}, `"nope"`},
		"busy port":    {[]string{"-addr", busy.Addr().String()}, busy.Addr().String()},
		"no port":      {[]string{"-addr", "127.0.0.1"}, "missing port"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(t.Context(), test.args, &out, &out)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("got output %q, want none", &out)
			}
		})
	}
}

// The base URL is one that clients on this machine can use.
func TestBaseURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8090": "http://127.0.0.1:8090",
		"[::1]:8090":     "http://[::1]:8090",
		"0.0.0.0:8090":   "http://127.0.0.1:8090",
		"[::]:8090":      "http://127.0.0.1:8090",
		"10.0.0.0:8090":  "http://10.0.0.0:8090",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := baseURL(tcp); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"-addr host:port", "127.0.0.1:8090", "-key key", "sdk_test", "-lifetime duration", "15m0s", "-v\t"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the usage lacks %q:\n%s", want, &out)
		}
	}
}
