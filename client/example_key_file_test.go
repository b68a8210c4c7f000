package client_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// keyFile returns a key source that reads the SDK key from a file, and reads it
// again when the file has changed.
func keyFile(path string) func(context.Context) (string, error) {
	var mu sync.Mutex
	var key string
	var read os.FileInfo // of the file when key was read
	return func(context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		if read == nil || !os.SameFile(read, info) ||
			read.Size() != info.Size() || !read.ModTime().Equal(info.ModTime()) {
			text, err := os.ReadFile(path)
			if err != nil {
				return "", err
			}
			key, read = strings.TrimSpace(string(text)), info
		}
		return key, nil
	}
}

// The SDK key is in a file, such as one that a secret manager mounts into a
// container. To rotate the key, write a new file and rename it, so that the program
// never reads an incomplete key.
func ExampleWithKeySource_file() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "oneloop-sdk-key")
	write := func(key string) {
		if err := os.WriteFile(path+".new", []byte(key+"\n"), 0o600); err != nil {
			panic(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			panic(err)
		}
	}
	write(clienttest.SDKKey)

	api := clienttest.NewAPI()
	c, err := client.New("", client.WithKeySource(keyFile(path)), client.WithHTTPClient(api.HTTPClient()))
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
	api.SetSDKKey("sdk_rotated") // Oneloop no longer accepts the old key
	generate()
	write("sdk_rotated")
	generate()
	// Output:
	// <nil>
	// oneloop: generateLinkToken: 401 Unauthorized: invalid SDK key
	// <nil>
}
