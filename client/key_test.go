package client_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The Client calls the key source once per call. A retry sends the same key.
func TestKeySource(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	keys := []string{"key-one", "key-two"}
	s := newScript(responds(503, ""), responds(200, validated))
	source := func(context.Context) (string, error) { return keys[called.Add(1)-1], nil }
	c := newClientWithKey(t, "", via(s), quick, client.WithKeySource(source))
	for range keys {
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	checkKeys(t, s, "key-one", "key-one", "key-two")
}

// checkKeys checks which keys the requests have.
func checkKeys(t *testing.T, s *script, want ...string) {
	t.Helper()
	var got []string
	for _, req := range s.requests {
		got = append(got, strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the requests have the keys %q, want %q", got, want)
	}
}

func TestKeySourceErrors(t *testing.T) {
	t.Parallel()
	errVault := errors.New("vault is sealed")
	for name, test := range map[string]struct {
		source func(context.Context) (string, error)
		want   error
	}{
		"error":         {func(context.Context) (string, error) { return "", errVault }, errVault},
		"error and key": {func(context.Context) (string, error) { return testKey, errors.New(testKey + " has expired") }, nil},
		"empty key":     {func(context.Context) (string, error) { return "", nil }, nil},
		"malformed key": {func(context.Context) (string, error) { return testKey + "\n", nil }, nil},
		"hanging": {func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(responds(200, validated))
			c := newClientWithKey(t, "", client.WithKeySource(test.source), via(s), client.WithTimeout(10*time.Millisecond))
			_, err := validate.call(t.Context(), c)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if errors.Is(err, client.ErrInvalidArgument) || errors.Is(err, client.ErrInvalidLinkToken) {
				t.Errorf("%v matches a sentinel of arguments, but the problem is the key", err)
			}
			if !strings.Contains(err.Error(), "WithKeySource: ") || strings.Contains(err.Error(), testKey) {
				t.Errorf("%q shows the key or does not name the option", err)
			}
			if s.attempts() != 0 {
				t.Errorf("%d requests were sent", s.attempts())
			}
		})
	}
}

// errors.As finds the error of a key source as it is.
func TestKeySourceErrorAsItIs(t *testing.T) {
	t.Parallel()
	fromVault := &url.Error{Op: "Get", URL: "https://vault.example/key", Err: &net.OpError{Op: "dial", Err: syscall.ETIMEDOUT}}
	for name, err := range map[string]error{
		"bare":    fromVault,
		"wrapped": fmt.Errorf("vault: %w", fromVault),
	} {
		t.Run(name, func(t *testing.T) {
			c := newClientWithKey(t, "", via(responds(200, validated)), client.WithKeySource(func(context.Context) (string, error) { return "", err }))
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
	c := newClientWithKey(t, "", client.WithKeyFile(path), via(s), quick, client.WithObserver(func(context.Context, client.Attempt) {
		if first {
			writeKey(t, path, " \t\r\nkey-two\r\n\n")
		}
		first = false
	}))
	for range 2 {
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	checkKeys(t, s, "key-one", "key-one", "key-two")
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
		t.Run(name, func(t *testing.T) {
			path := newKeyFile(t, testKey)
			s := newScript(responds(200, validated))
			c := newClientWithKey(t, "", client.WithKeyFile(path), via(s))
			if err := test.lose(path); err != nil {
				t.Fatal(err)
			}
			_, err := validate.call(t.Context(), c)
			if err == nil || s.attempts() != 0 || !test.check(err) {
				t.Fatalf("got %v after %d requests, want the file's error and no request", err, s.attempts())
			}
			if errors.Is(err, client.ErrInvalidArgument) || !strings.Contains(err.Error(), "WithKeyFile: ") {
				t.Errorf("%v matches ErrInvalidArgument or does not name WithKeyFile", err)
			}
			noSecretIn(t, "the error", err)
			noSecretIn(t, "Client", c)
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			writeKey(t, path, testKey)
			if _, err := validate.call(t.Context(), c); err != nil {
				t.Errorf("after the file was restored: %v", err)
			}
		})
	}
}

// If fetching the key hangs for a call without a deadline, the other calls end in time.
func TestCachedKeyHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keys := &cachedKey{turn: make(chan struct{}, 1), fetch: func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}}
		forever, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() { _, _ = keys.get(forever) })
		synctest.Wait()
		c := newClientWithKey(t, "", via(newScript(responds(200, validated))), client.WithKeySource(keys.get), client.WithTimeout(time.Second))
		start := time.Now()
		if _, err := validate.call(t.Context(), c); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want the call's deadline", err, time.Since(start))
		}
	})
}

// cachedKey is the key source of an example.
func TestCachedKey(t *testing.T) {
	t.Parallel()
	errSealed := errors.New("sealed")
	synctest.Test(t, func(t *testing.T) {
		var fetches int
		var fetchErr error
		keys := &cachedKey{maxAge: time.Hour, minAge: time.Second, turn: make(chan struct{}, 1), fetch: func(context.Context) (string, error) {
			fetches++
			return "key-one", fetchErr
		}}
		get := func(what string, wantFetches int, wantErr error) {
			t.Helper()
			if _, err := keys.get(t.Context()); !errors.Is(err, wantErr) || fetches != wantFetches {
				t.Errorf("%s: got %v after %d fetches, want %v after %d", what, err, fetches, wantErr, wantFetches)
			}
		}
		refuse := func(status int) {
			keys.observe(t.Context(), client.Attempt{Err: &client.ErrorResponse{StatusCode: status}})
		}

		fetchErr = errSealed
		get("first call", 1, errSealed)
		fetchErr = nil
		get("after an error", 2, nil)
		time.Sleep(time.Minute)
		get("within maxAge", 2, nil)
		refuse(403)
		get("after a 403, which another key wouldn't change", 2, nil)
		refuse(401)
		get("after a 401", 3, nil)
		refuse(401)
		get("after another 401, within minAge", 3, nil)
		time.Sleep(time.Second)
		get("after minAge", 4, nil)
		time.Sleep(time.Hour)
		get("after maxAge", 5, nil)
	})
}
