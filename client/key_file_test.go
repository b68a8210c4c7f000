package client_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// newKeyFile writes content to a new file.
func newKeyFile(tb testing.TB, content string) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "sdk-key")
	writeKey(tb, path, content)
	return path
}

func writeKey(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Each call reads the file again, so a rotated key is used at once. A retry sends the
// key with which its call began.
func TestKeyFileIsReadPerCall(t *testing.T) {
	t.Parallel()
	path := newKeyFile(t, "key-one")
	s := newScript(responds(503, ""), responds(200, validated))
	first := true
	c, err := client.New("", client.WithKeyFile(path), via(s), quick, client.WithObserver(func(context.Context, client.Attempt) {
		if first {
			writeKey(t, path, " \t\r\nkey-two\r\n\n")
		}
		first = false
	}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	var sent []string
	for _, req := range s.requests {
		sent = append(sent, req.Header.Get("Authorization"))
	}
	if got, want := fmt.Sprint(sent), "[Bearer key-one Bearer key-one Bearer key-two]"; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

// A wrong file shows when the program starts.
func TestNewRejectsKeyFiles(t *testing.T) {
	t.Parallel()
	path := newKeyFile(t, testKey)
	source := client.WithKeySource(func(context.Context) (string, error) { return testKey, nil })
	for name, test := range map[string]struct {
		key  string
		opts []client.Option
	}{
		"no path":            {"", []client.Option{client.WithKeyFile("")}},
		"no file":            {"", []client.Option{client.WithKeyFile(path + "-missing")}},
		"a folder":           {"", []client.Option{client.WithKeyFile(filepath.Dir(path))}},
		"empty":              {"", []client.Option{client.WithKeyFile(newKeyFile(t, ""))}},
		"white space":        {"", []client.Option{client.WithKeyFile(newKeyFile(t, " \n"))}},
		"two lines":          {"", []client.Option{client.WithKeyFile(newKeyFile(t, testKey+"\n"+testKey+"\n"))}},
		"quotation marks":    {"", []client.Option{client.WithKeyFile(newKeyFile(t, `"`+testKey+`"`))}},
		"a key beside it":    {testKey, []client.Option{client.WithKeyFile(path)}},
		"a source beside it": {"", []client.Option{client.WithKeyFile(path), source}},
		"a source before it": {"", []client.Option{source, client.WithKeyFile(path)}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := client.New(test.key, test.opts...)
			if c != nil {
				t.Error("New returned a Client with its error")
			}
			checkRejected(t, err, client.ErrInvalidArgument, "WithKeyFile", testKey)
		})
	}
}

// If the file can't be read later, the call fails and nothing is sent.
func TestKeyFileLost(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lose  func(path string) error
		check func(error) bool
	}{
		"removed":   {os.Remove, is(fs.ErrNotExist)},
		"a folder":  {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, as[*fs.PathError]},
		"empty":     {func(path string) error { return os.WriteFile(path, nil, 0o600) }, anyError},
		"malformed": {func(path string) error { return os.WriteFile(path, []byte(testKey+" "+testKey), 0o600) }, anyError},
	} {
		for _, op := range operations {
			t.Run(name+"/"+op.name, func(t *testing.T) {
				path := newKeyFile(t, testKey)
				s := newScript(responds(200, op.ok))
				c, err := client.New("", client.WithKeyFile(path), via(s))
				if err != nil {
					t.Fatal(err)
				}
				if err := test.lose(path); err != nil {
					t.Fatal(err)
				}
				_, err = op.call(t.Context(), c)
				if err == nil || s.attempts() != 0 || !test.check(err) {
					t.Fatalf("got %v after %d requests, want the file's error and no request", err, s.attempts())
				}
				if errors.Is(err, client.ErrInvalidArgument) || !strings.Contains(err.Error(), "WithKeyFile") {
					t.Errorf("%v matches ErrInvalidArgument or does not name WithKeyFile", err)
				}
				noSecretIn(t, "the error", err)
				noSecretIn(t, "Client", c)
				if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				writeKey(t, path, testKey)
				if _, err := op.call(t.Context(), c); err != nil {
					t.Errorf("after the file was restored: %v", err)
				}
			})
		}
	}
}
