package realservers

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

// upstream is the API that nginx passes requests to. Its link tokens and
// customers are the names of calls, so a caller can tell whether a response is
// its own.
type upstream struct {
	addr string

	mu       sync.Mutex
	requests map[request]int
	server   *http.Server
}

// request is what the requests of one call have in common.
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

// kill closes the listener and all connections, whatever they are doing.
func (u *upstream) kill() { u.server.Close() }

// work is how long a request takes; when the upstream is killed, some are under
// way.
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

// seen returns how many requests of each call arrived.
func (u *upstream) seen() map[request]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.requests)
}
