package client_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// These tests check the key sources in the examples of WithKeySource.

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	source := keyFile(path)
	if key, err := source(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: got %q, %v, want an error", key, err)
	}
	modified := time.Now().Add(-time.Hour)
	inPlace := func(text string, modified time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	renamed := func(text string, modified time.Time) {
		t.Helper()
		if err := os.Rename(path, path+".old"); err != nil { // so that the new file can't have the same inode number
			t.Fatal(err)
		}
		inPlace(text, modified)
	}
	for _, test := range []struct {
		name     string
		write    func(text string, modified time.Time)
		text     string
		modified time.Time
		want     string
	}{
		{"a line break at the end", inPlace, "key-one\r\n", modified, "key-one"},
		{"another time", inPlace, "key-two\r\n", modified.Add(time.Second), "key-two"},
		{"an earlier time", inPlace, "key-six\r\n", modified, "key-six"},
		{"another size", inPlace, "key-three\r\n", modified, "key-three"},
		{"another file of the same size and time", renamed, "key-seven\r\n", modified, "key-seven"},
		{"nothing has changed", inPlace, "key-eight\r\n", modified, "key-seven"}, // cached
	} {
		test.write(test.text, test.modified)
		var calls sync.WaitGroup
		for range 8 {
			calls.Go(func() {
				if key, err := source(t.Context()); key != test.want || err != nil {
					t.Errorf("%s: got %q, %v, want %q", test.name, key, err, test.want)
				}
			})
		}
		calls.Wait()
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if key, err := source(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the file was removed: got %q, %v, want an error", key, err)
	}
}

func TestCachedKey(t *testing.T) {
	t.Parallel()
	errSealed := errors.New("sealed")
	synctest.Test(t, func(t *testing.T) {
		var fetches int
		var fetchErr error
		keys := &cachedKey{maxAge: time.Hour, minAge: time.Second, fetch: func(context.Context) (string, error) {
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
