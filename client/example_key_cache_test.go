package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// A cachedKey caches an SDK key for maxAge, or only for minAge if Oneloop has rejected
// the key with a 401. So a rotated key is fetched soon, and a wrong key isn't fetched
// again for every call.
type cachedKey struct {
	fetch          func(context.Context) (string, error)
	maxAge, minAge time.Duration

	rejected atomic.Bool
	turn     chan struct{} // of capacity 1; full while a call uses the fields below
	key      string
	fetched  time.Time
}

// get is a key source. One call at a time fetches the key. The others wait, but unlike
// with a mutex, none of them longer than its own context allows.
func (k *cachedKey) get(ctx context.Context) (string, error) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	age := time.Since(k.fetched)
	if age < k.minAge || age < k.maxAge && !k.rejected.Load() {
		return k.key, nil
	}
	key, err := k.fetch(ctx)
	if err == nil {
		k.key, k.fetched = key, time.Now()
		k.rejected.Store(false)
	}
	return key, err
}

// observe is an observer.
func (k *cachedKey) observe(_ context.Context, a client.Attempt) {
	if errors.Is(a.Err, client.ErrUnauthorized) {
		k.rejected.Store(true)
	}
}

// The SDK key comes from a secret manager. A call with the old key fails with
// ErrUnauthorized and is not retried. It is safe to repeat: Oneloop has rejected it.
func ExampleWithKeySource_cache() {
	api := clienttest.NewAPI()
	secret := clienttest.SDKKey
	keys := &cachedKey{
		fetch: func(context.Context) (string, error) { // stands in for a call to the secret manager
			fmt.Println("fetching the key")
			return secret, nil
		},
		maxAge: time.Hour,
		minAge: 10 * time.Millisecond, // in production, a few seconds
		turn:   make(chan struct{}, 1),
	}
	c, err := client.New("",
		client.WithKeySource(keys.get),
		client.WithObserver(keys.observe),
		client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		panic(err)
	}
	generate := func() {
		_, err := c.GenerateLinkToken(context.Background(), client.GenerateLinkTokenRequest{
			CustomerID:  "customer_1",
			WorkspaceID: "workspace_1",
		})
		fmt.Println(err)
	}

	generate()
	secret = "sdk_rotated"
	api.SetSDKKey(secret)
	generate()
	time.Sleep(keys.minAge)
	generate()
	// Output:
	// fetching the key
	// <nil>
	// oneloop: generateLinkToken: 401 Unauthorized: invalid SDK key
	// fetching the key
	// <nil>
}
