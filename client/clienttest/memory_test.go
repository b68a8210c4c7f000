package clienttest_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func TestNewestRequestsAreKept(t *testing.T) {
	const kept, more = 10_000, 5
	api := clienttest.NewAPI()
	hc := api.HTTPClient()
	for i := range kept + more {
		resp, err := hc.Get(fmt.Sprint("https://oneloop.example/api/v1/link-token/", i))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	got := api.Requests()
	if len(got) != kept {
		t.Fatalf("got %d requests, want %d", len(got), kept)
	}
	for i, r := range got {
		if want := fmt.Sprint(i + more); r.LinkToken != want {
			t.Fatalf("got request %d with %q, want %q", i, r.LinkToken, want)
		}
	}
}

// Requests with long paths do not fill the memory.
func TestPathsAreNotKept(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, path := range map[string]string{
		"unknown":       "/" + long,
		"token":         "/api/v1/link-token/" + long,
		"escaped token": "/api/v1/link-token/" + long + "%",
		"base path":     "/" + long + "/api/v1/link-token/lt_1",
	} {
		t.Run(name, func(t *testing.T) {
			api := clienttest.NewAPI()
			before := heap()
			for range 20 {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://oneloop.example/", nil)
				if err != nil {
					t.Fatal(err)
				}
				r.URL.Path = strings.Clone(path) // as if read from a connection
				resp, err := api.RoundTrip(r)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			if grown := heap() - before; grown > 4<<20 {
				t.Errorf("the API keeps %d MiB", grown>>20)
			}
			runtime.KeepAlive(api)
		})
	}
}

// heap returns the size of the live heap in bytes.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func TestLongestLinkToken(t *testing.T) {
	for length, want := range map[int]int{2048: 2048, 2049: 0} {
		api := clienttest.NewAPI()
		status, message := send(t, api, "GET", "/api/v1/link-token/"+strings.Repeat("x", length), "Bearer "+clienttest.SDKKey, "", "")
		problem := map[bool]string{true: "the link token is too long", false: "unknown link token"}[want == 0]
		if got := api.Requests()[0]; status != 400 || message != problem || got.Operation != "validateLinkToken" || len(got.LinkToken) != want {
			t.Errorf("%d bytes: got %d %s and a request with %d bytes, want 400 and %d", length, status, message, len(got.LinkToken), want)
		}
	}
}
