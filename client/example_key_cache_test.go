package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// A cachedKey caches an SDK key for maxAge, or only for minAge if Oneloop has refused
// the key with a 401. So a rotated key is fetched soon, and a wrong key isn't fetched
// again for every call.
type cachedKey struct {
	fetch          func(context.Context) (string, error)
	maxAge, minAge time.Duration

	mu      sync.Mutex
	key     string
	fetched time.Time
	refused bool
}

// get is a key source.
func (k *cachedKey) get(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := time.Since(k.fetched)
	if age < k.minAge || age < k.maxAge && !k.refused {
		return k.key, nil
	}
	key, err := k.fetch(ctx)
	if err == nil {
		k.key, k.fetched, k.refused = key, time.Now(), false
	}
	return key, err
}

// observe is an observer.
func (k *cachedKey) observe(_ context.Context, a client.Attempt) {
	if errors.Is(a.Err, client.ErrUnauthorized) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.refused = true
	}
}

// The SDK key comes from a secret manager. A call with the old key fails with
// ErrUnauthorized and is not retried; it had no effect, so it is safe to repeat.
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
