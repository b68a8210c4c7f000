package client_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// The Client calls the key source once per call. A retry sends the same key.
func TestKeySource(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	keys := []string{"key-one", "key-two"}
	s := newScript(responds(503, ""), responds(200, validated))
	c, err := client.New("", via(s), quick,
		client.WithKeySource(func(context.Context) (string, error) { return keys[called.Add(1)-1], nil }))
	if err != nil {
		t.Fatal(err)
	}
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
			c, err := client.New("", client.WithKeySource(test.source), via(s), client.WithTimeout(10*time.Millisecond))
			if err != nil {
				t.Fatal(err)
			}
			_, err = validate.call(t.Context(), c)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if errors.Is(err, client.ErrInvalidArgument) {
				t.Errorf("%v matches ErrInvalidArgument, as if the link token were invalid", err)
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
