package nginx

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"
)

// An upstream is the API behind nginx. Its link tokens and customers are the ids of
// calls, so a caller can tell whether it received the right response.
type upstream struct {
	addr string

	mu       sync.Mutex
	requests map[request]int
	server   *http.Server
}

// A request identifies the requests of one call.
type request struct{ method, id string }

func startUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{addr: "127.0.0.1:0", requests: map[request]int{}}
	if err := u.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.kill)
	return u
}

func (u *upstream) start() error {
	l, err := net.Listen("tcp", u.addr)
	if err != nil {
		return err
	}
	u.addr = l.Addr().String()
	u.server = &http.Server{Handler: u}
	go u.server.Serve(l)
	return nil
}

// kill closes the listener and all connections, even active ones.
func (u *upstream) kill() { u.server.Close() }

// work is how long a request takes. It ensures that some requests are in progress when
// the upstream is killed.
const work = 2 * time.Millisecond

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	u.mu.Lock()
	u.requests[request{r.Method, id}]++
	u.mu.Unlock()
	time.Sleep(work)
	expires := time.Now().Add(time.Hour).Unix()
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPost {
		_ = json.NewEncoder(w).Encode(map[string]any{"token": id, "expiresAt": expires})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"valid": path.Base(r.URL.Path) == id, "customerId": id, "workspaceId": "w1", "expiresAt": expires,
	})
}

// seen returns the number of requests received for each call.
func (u *upstream) seen() map[request]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.requests)
}
