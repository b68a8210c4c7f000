package readme_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

// README.md shows parts of this file.

type keyFile struct {
	path     string
	mu       sync.Mutex
	modified time.Time
	key      string
}

func (f *keyFile) Key(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return "", err
	}
	if f.key == "" || !info.ModTime().Equal(f.modified) {
		text, err := os.ReadFile(f.path)
		if err != nil {
			return "", err
		}
		f.key, f.modified = strings.TrimSpace(string(text)), info.ModTime()
	}
	return f.key, nil
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write := func(key string, modified time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	api := clienttest.NewAPI()
	c, err := client.New("", client.WithKeySource((&keyFile{path: path}).Key), client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		t.Fatal(err)
	}
	generate := func() error {
		_, err := c.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "ada", WorkspaceID: "engines"})
		return err
	}
	if err := generate(); err == nil {
		t.Error("a missing file is not an error")
	}
	write(clienttest.SDKKey, time.Now().Add(-time.Minute))
	if err := generate(); err != nil {
		t.Error(err)
	}
	api.SetSDKKey("sdk_rotated")
	if err := generate(); err == nil {
		t.Error("the old key is accepted after a rotation")
	}
	write("sdk_rotated", time.Now())
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if err := generate(); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
}

func TestExpiredToken(t *testing.T) {
	api := clienttest.NewAPI()
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "ada", WorkspaceID: "engines"})
	if err != nil {
		t.Fatal(err)
	}
	api.Advance(time.Hour)
	if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid {
		t.Errorf("got %+v, %v, want a token that is not valid", v, err)
	}
}

func TestExchange(t *testing.T) {
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(clienttest.NewAPI().HTTPClient()))
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "ada", WorkspaceID: "engines"})
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(w http.ResponseWriter, r *http.Request) {
		validation, _ := linkauth.FromContext(r.Context())
		fmt.Fprint(w, validation.CustomerID)
	}

	mux := http.NewServeMux()
	mux.Handle("POST /session", linkauth.New(c).Wrap(http.HandlerFunc(exchange)))

	for authorization, want := range map[string]string{"Bearer " + token.Token: "200 ada", "": "401"} {
		r := httptest.NewRequest(http.MethodPost, "/session", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
