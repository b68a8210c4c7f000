package client_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
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
	var got []string
	for _, req := range s.requests {
		got = append(got, req.Header.Get("Authorization"))
	}
	if want := "Bearer key-one,Bearer key-one,Bearer key-two"; strings.Join(got, ",") != want {
		t.Errorf("got %s, want %s", got, want)
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
			if !strings.Contains(err.Error(), "WithKeySource") || strings.Contains(err.Error(), testKey) {
				t.Errorf("%q shows the key or does not name the option", err)
			}
			if s.attempts() != 0 {
				t.Errorf("%d requests were sent", s.attempts())
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
