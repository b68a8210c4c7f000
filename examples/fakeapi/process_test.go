//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain runs the command itself in processes that these tests start.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_RUN_FAKEAPI") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// command returns the command as a process of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TEST_RUN_FAKEAPI=1")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}

// TestUnreadOutput runs the fake as test suites of other languages do: with pipes that
// nobody reads, or that are closed.
func TestUnreadOutput(t *testing.T) {
	const requests = 3000 // with -v, more lines than a pipe and the buffer hold
	for name, test := range map[string]struct {
		args   []string
		closed bool
	}{
		"unread":     {nil, false},
		"unread, -v": {[]string{"-v"}, false},
		"closed":     {nil, true},
		"closed, -v": {[]string{"-v"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command(t, append(test.args, "-addr", "127.0.0.1:0")...)
			stdout, stdoutWriter, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdout.Close()
			stderr, stderrWriter, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stderr.Close()
			cmd.Stdout, cmd.Stderr = stdoutWriter, stderrWriter
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			stdoutWriter.Close()
			stderrWriter.Close()
			var baseURL string
			if _, err := fmt.Fscanf(bufio.NewReader(stdout), "ONELOOP_BASE_URL=%s\n", &baseURL); err != nil {
				t.Fatal(err)
			}
			if test.closed {
				stdout.Close()
				stderr.Close()
			}
			for range requests {
				get(t, baseURL+"/healthz")
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoOutput closes the pipe before the fake prints anything.
func TestNoOutput(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	stdout, stdoutWriter, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	cmd := command(t, "-addr", addr)
	cmd.Stdout, cmd.Stderr = stdoutWriter, stdoutWriter
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdoutWriter.Close()
	for range 500 {
		if resp, err := http.Get("http://" + addr + "/healthz"); err == nil {
			resp.Body.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // it prints after it has started to listen
	get(t, "http://"+addr+"/healthz")
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestScript runs the commands for scripts in the text of GET /.
func TestScript(t *testing.T) {
	t.Parallel()
	_, script, _ := strings.Cut(usage, "fakeapi@latest\n")
	script, _, _ = strings.Cut(script, "\n\n")
	bin := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(bin, "fakeapi")); err != nil {
		t.Fatal(err)
	}
	const key = `it's$HOME;*`
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", strings.Replace(script, "127.0.0.1:0", `127.0.0.1:0 -key "$KEY"`, 1)+`
		sh -c 'echo "$ONELOOP_BASE_URL"; echo "$ONELOOP_SDK_KEY"'
		read line`)
	cmd.Env = append(os.Environ(), "TEST_RUN_FAKEAPI=1", "TMPDIR="+bin, "PATH="+bin+":"+os.Getenv("PATH"), "KEY="+key)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Scan()
	baseURL := lines.Text()
	lines.Scan()
	if lines.Text() != key {
		t.Errorf("the script got the key %q, want %q", lines.Text(), key)
	}
	get(t, baseURL+"/healthz")
	_, _ = io.WriteString(stdin, "\n")
	if err := cmd.Wait(); err != nil {
		t.Errorf("sh ended with %v", err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		resp, err := http.Get(baseURL + "/healthz")
		if err != nil {
			return
		}
		resp.Body.Close()
		if time.Now().After(end) {
			t.Fatal("the fake outlives the script")
		}
	}
}
