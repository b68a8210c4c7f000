package client_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func gzipped(tb testing.TB, text string) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// The Client must not decompress responses. An endless sequence of empty gzip
// members decompresses to nothing, so a limit on decompressed bytes would never be
// reached.
func TestEndlessCompressedResponse(t *testing.T) {
	t.Parallel()
	const limit = 1<<20 + 8<<20 // the documented limit, and what socket buffers may hold
	member := bytes.Repeat(gzipped(t, ""), 1000)
	for _, status := range []int{200, 400} {
		for name, opts := range map[string][]client.Option{
			"own transport":    nil,
			"custom transport": {via(&http.Transport{DisableKeepAlives: true})},
		} {
			t.Run(fmt.Sprint(status, "/", name), func(t *testing.T) {
				t.Parallel()
				var sent atomic.Int64
				gone := make(chan struct{})
				base := rawServer(t, func(conn net.Conn, _, _ int) bool {
					defer close(gone)
					_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n", status)
					for {
						n, err := conn.Write(member)
						if sent.Add(int64(n)); err != nil {
							return false
						}
					}
				})
				c := newClient(t, append(opts, client.WithBaseURL(base), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1, AttemptTimeout: time.Second}))...)
				_, err := validate.call(t.Context(), c)
				if status == 200 && !errors.Is(err, client.ErrMalformedResponse) {
					t.Errorf("got %v, want ErrMalformedResponse", err)
				}
				if status == 400 && asResponse(t, err).StatusCode != 400 {
					t.Errorf("got %v, want the 400", err)
				}
				<-gone // the client has closed the connection
				if sent.Load() > limit {
					t.Errorf("the server could send %d MiB, want at most %d", sent.Load()>>20, limit>>20)
				}
			})
		}
	}
}

func TestAcceptEncoding(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]client.Option{
		"own transport":    nil,
		"custom transport": {via(&http.Transport{DisableKeepAlives: true})},
	} {
		t.Run(name, func(t *testing.T) {
			var got [][]string
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.Header["Accept-Encoding"])
				respondOK(w, r)
			}))
			c := newClient(t, append(opts, client.WithBaseURL(server.URL))...)
			for _, op := range operations {
				if _, err := op.call(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
			if fmt.Sprint(got) != "[[identity] [identity]]" {
				t.Errorf("got Accept-Encoding %q, want identity", got)
			}
		})
	}
}
