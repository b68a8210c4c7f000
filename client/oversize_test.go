package client_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// countingBody counts the bytes that the client reads.
type countingBody struct {
	io.ReadCloser
	read *atomic.Int64
}

func (b countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func TestAtMost1MiBIsRead(t *testing.T) {
	t.Parallel()
	spaces := strings.Repeat(" ", 4<<20)
	for name, send := range map[string]func(w http.ResponseWriter, status int){
		"chunked": func(w http.ResponseWriter, status int) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, spaces)
		},
		"with length": func(w http.ResponseWriter, status int) {
			w.Header().Set("Content-Length", strconv.Itoa(len(spaces)))
			w.WriteHeader(status)
			_, _ = io.WriteString(w, spaces)
		},
	} {
		for _, status := range []int{200, 400, 500, 503} {
			for _, op := range operations {
				t.Run(fmt.Sprintf("%s/%d/%s", op.name, status, name), func(t *testing.T) {
					var requests, read atomic.Int64
					server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						requests.Add(1)
						w.Header().Set("Content-Type", "application/json")
						send(w, status)
					}))
					counting := roundTripFunc(func(req *http.Request) (*http.Response, error) {
						resp, err := server.Client().Transport.RoundTrip(req)
						if err == nil {
							resp.Body = countingBody{resp.Body, &read}
						}
						return resp, err
					})
					got, err := op.call(t.Context(), newClient(t, client.WithBaseURL(server.URL), quick, via(counting)))
					if got != nil {
						t.Fatalf("got result %v, want none", got)
					}
					if status == 200 {
						if !errors.Is(err, client.ErrMalformedResponse) || !strings.Contains(err.Error(), "1 MiB") {
							t.Errorf("got %v, want ErrMalformedResponse", err)
						}
					} else if e := asResponse(t, err); e.StatusCode != status || e.Attempts != 1 {
						t.Errorf("got %v after %d attempts", e, e.Attempts)
					} else if len(e.Body) != 64<<10 {
						t.Errorf("Body has %d bytes, want 64 KiB", len(e.Body))
					}
					if requests.Load() != 1 {
						t.Errorf("the server received %d requests, want 1", requests.Load())
					}
					if read.Load() > 1<<20+64<<10 {
						t.Errorf("%d bytes were read, want little more than 1 MiB", read.Load())
					}
				})
			}
		}
	}
}

// If a server sends a compressed response in spite of Accept-Encoding: identity, the
// Client does not decompress it.
func TestCompressedResponses(t *testing.T) {
	t.Parallel()
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	_, _ = io.WriteString(z, validated+strings.Repeat(" ", 4<<20))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{200, 400} {
		for name, opts := range map[string][]client.Option{
			"own transport":    nil,
			"custom transport": {via(new(http.Transport))},
		} {
			t.Run(fmt.Sprint(status, "/", name), func(t *testing.T) {
				server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					w.Header().Set("Content-Encoding", "gzip")
					w.WriteHeader(status)
					_, _ = w.Write(compressed.Bytes())
				}))
				got, err := validate.call(t.Context(), newClient(t, append(opts, client.WithBaseURL(server.URL))...))
				if got != nil {
					t.Fatalf("got result %v, want none", got)
				}
				if status == 200 {
					if !errors.Is(err, client.ErrMalformedResponse) {
						t.Errorf("got %v, want ErrMalformedResponse", err)
					}
				} else if e := asResponse(t, err); e.StatusCode != status || !bytes.Equal(e.Body, compressed.Bytes()) {
					t.Errorf("got %v with a body of %d bytes, want the %d bytes that were sent", e, len(e.Body), compressed.Len())
				}
			})
		}
	}
}

func TestLargestResponse(t *testing.T) {
	t.Parallel()
	body := validated + strings.Repeat(" ", 1<<20-len(validated))
	for _, length := range []int64{-1, int64(len(body))} {
		c := newClient(t, via(roundTripFunc(func(*http.Request) (*http.Response, error) {
			resp := response(200, body)
			resp.ContentLength = length
			return resp, nil
		})))
		if _, err := validate.call(t.Context(), c); err != nil {
			t.Errorf("content length %d: %v", length, err)
		}
	}
}
