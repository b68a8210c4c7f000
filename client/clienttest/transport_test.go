package clienttest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// Response headers are the same in memory and on a socket, except for the Date that
// net/http adds.
func TestHeaders(t *testing.T) {
	long := strings.Repeat("x", 64<<10) // too long for net/http to compute its length
	for name, test := range map[string]struct {
		status int
		header http.Header
		body   string
		want   http.Header
	}{
		"none":               {200, nil, "{}", http.Header{"Content-Type": {"application/json"}, "Content-Length": {"2"}}},
		"long body":          {200, nil, long, http.Header{"Content-Type": {"application/json"}, "Content-Length": {"65536"}}},
		"names in any case":  {503, http.Header{"retry-after": {"2"}, "content-TYPE": {"text/plain"}}, "", http.Header{"Retry-After": {"2"}, "Content-Type": {"text/plain"}, "Content-Length": {"0"}}},
		"a name twice":       {200, http.Header{"X-A": {"1", "2"}, "x-a": {"3"}}, "", http.Header{"X-A": {"1", "2", "3"}, "Content-Type": {"application/json"}, "Content-Length": {"0"}}},
		"no content type":    {200, http.Header{"content-type": nil}, "{}", http.Header{"Content-Length": {"2"}}},
		"a wrong length":     {200, http.Header{"content-length": {"7"}}, "{}", http.Header{"Content-Type": {"application/json"}, "Content-Length": {"2"}}},
		"chunked":            {200, http.Header{"Transfer-Encoding": {"chunked"}}, "{}", http.Header{"Content-Type": {"application/json"}, "Content-Length": {"2"}}},
		"status with a body": {204, http.Header{"Content-Length": {"7"}}, "{}", http.Header{"Content-Type": {"application/json"}}},
		"not modified":       {304, http.Header{"Etag": {"1"}}, "{}", http.Header{"Etag": {"1"}}},
		"white space":        {503, http.Header{"Retry-After": {" 2 "}, "X-A": {"1\r\n2"}}, "", http.Header{"Retry-After": {"2"}, "X-A": {"1  2"}, "Content-Type": {"application/json"}, "Content-Length": {"0"}}},
	} {
		t.Run(name, func(t *testing.T) {
			api := clienttest.NewAPI()
			server := httptest.NewServer(api)
			defer server.Close()
			for _, hc := range []*http.Client{api.HTTPClient(), server.Client()} {
				api.Queue(clienttest.Response(test.status, test.header, test.body))
				resp, err := hc.Get(server.URL)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				want := test.body
				if test.status == 204 || test.status == 304 {
					want = ""
				}
				if err != nil || string(body) != want {
					t.Errorf("got %d bytes, %v, want %d", len(body), err, len(want))
				}
				resp.Header.Del("Date")
				if !reflect.DeepEqual(resp.Header, test.want) || resp.ContentLength != int64(len(body)) {
					t.Errorf("got %v and length %d, want %v and %d", resp.Header, resp.ContentLength, test.want, len(body))
				}
			}
		})
	}
}

// In memory, a response has what net/http's has, and the request's body is closed.
func TestRoundTrip(t *testing.T) {
	body := &closeCounter{Reader: strings.NewReader("{}")}
	for _, body := range []io.ReadCloser{nil, body} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://oneloop.example/api/v1/link-token", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := clienttest.NewAPI().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.Status != "401 Unauthorized" || resp.Proto != "HTTP/1.1" || !resp.ProtoAtLeast(1, 1) || resp.ProtoAtLeast(1, 2) || resp.Request != req {
			t.Errorf("got %+v", resp)
		}
	}
	if body.closed != 1 {
		t.Errorf("the body was closed %d times, want once", body.closed)
	}
}

type closeCounter struct {
	io.Reader
	closed int
}

func (c *closeCounter) Close() error {
	c.closed++
	return nil
}

func TestHeadersAreCopied(t *testing.T) {
	api := clienttest.NewAPI()
	header := http.Header{"X-A": {"before"}}
	api.Queue(clienttest.Response(200, header, "").Always())
	header["X-A"][0] = "after"
	header.Set("X-B", "after")
	for range 2 {
		resp, err := api.HTTPClient().Get("http://oneloop.example/")
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header; got.Get("X-A") != "before" || got.Get("X-B") != "" {
			t.Errorf("got %v", got)
		}
		resp.Header["X-A"][0] = "changed by a client"

		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		w.Header()["X-A"][0] = "changed by a middleware"
	}
}

// A client must not mistake a cut for a response, so it receives no status.
func TestCutSendsNoStatus(t *testing.T) {
	for name, fault := range map[string]clienttest.Fault{"Cut": clienttest.Cut(), "CutResponse": clienttest.CutResponse()} {
		api := clienttest.NewAPI()
		server := httptest.NewServer(api)
		defer server.Close()
		api.Queue(fault)
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /api/v1/link-token/t HTTP/1.1\r\nHost: oneloop.example\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); err != nil || string(got) != "HTTP/1.1 " {
			t.Errorf("%s: got %q, %v, want no status", name, got, err)
		}
	}
}

// net/http's client resends a GET if a reused connection is closed before the first
// byte of the response. It must not resend a request that was cut.
func TestCutIsNotReplayed(t *testing.T) {
	api := clienttest.NewAPI()
	server := httptest.NewServer(api)
	defer server.Close()
	for _, fault := range []clienttest.Fault{clienttest.Delay(0), clienttest.Cut()} {
		api.Queue(fault)
		resp, err := server.Client().Get(server.URL + "/api/v1/link-token/t")
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	if got := len(api.Requests()); got != 2 {
		t.Errorf("the API received %d requests, want 2", got)
	}
}

// A POST that is cut fails with a connection error, in memory and on a socket, and
// not with the error for a malformed response.
func TestCutPOST(t *testing.T) {
	api := clienttest.NewAPI()
	server := httptest.NewServer(api)
	defer server.Close()
	for _, hc := range []*http.Client{api.HTTPClient(), server.Client()} {
		api.Queue(clienttest.Cut())
		resp, err := hc.Post(server.URL+"/api/v1/link-token", "application/json", strings.NewReader("{}"))
		if err == nil {
			resp.Body.Close()
		}
		var reset *net.OpError
		if !errors.Is(err, io.EOF) && (!errors.As(err, &reset) || reset.Op != "read" || reset.Net != "tcp") {
			t.Errorf("got %v, want a reset or EOF", err)
		}
	}
}

func TestCutOverHTTP2(t *testing.T) {
	api := clienttest.NewAPI()
	server := httptest.NewUnstartedServer(api)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	api.Queue(clienttest.Cut(), clienttest.Delay(0))
	if resp, err := server.Client().Get(server.URL + "/api/v1/link-token/t"); err == nil {
		resp.Body.Close()
		t.Errorf("got %s, want an error", resp.Status)
	}
	resp, err := server.Client().Get(server.URL + "/api/v1/link-token/t")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 401 {
		t.Errorf("after the cut: got %s %s, want HTTP/2.0 401", resp.Proto, resp.Status)
	}
}

func TestCutRecorder(t *testing.T) {
	api := clienttest.NewAPI()
	api.Queue(clienttest.Cut())
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("got panic %v, want http.ErrAbortHandler", got)
		}
	}()
	api.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	t.Error("ServeHTTP did not panic")
}

func TestContextDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://oneloop.example/api/v1/link-token/t", nil)
	if err != nil {
		t.Fatal(err)
	}
	api := clienttest.NewAPI()
	if _, err := api.RoundTrip(req); !errors.Is(err, context.Canceled) || len(api.Requests()) != 0 {
		t.Errorf("got %v and %d requests", err, len(api.Requests()))
	}
}

func TestConcurrentUse(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				for range 10 {
					token, err := c.GenerateLinkToken(t.Context(), request)
					if err != nil {
						t.Error(err)
						return
					}
					api.Advance(time.Nanosecond)
					api.Queue(clienttest.Delay(0))
					if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || !v.Valid {
						t.Errorf("got %+v, %v", v, err)
					}
					api.Revoke(token.Token)
					api.Expire(token.Token)
					api.SetSDKKey(clienttest.SDKKey)
					api.ClearFaults()
					_ = api.Requests()
				}
			})
		}
		wg.Wait()
		if got := len(api.Requests()); got != 640 {
			t.Errorf("Requests returned %d requests, want 640", got)
		}
	})
}
