package linkauth_test

import (
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

// TestWithFailure uses a real server, because an httptest.ResponseRecorder takes a
// 103 for the response's status.
func TestWithFailure(t *testing.T) {
	unavailable := linkauth.Failure{Status: 503, RetryAfter: 2 * time.Second,
		Err: &client.ErrorResponse{StatusCode: 503, RetryAfter: 1500 * time.Millisecond}}
	for name, test := range map[string]struct {
		authorization string
		write         func(http.ResponseWriter)
		want          linkauth.Failure
		code          int
		body          string
		header, value string // one that the response must have
		early         int    // number of 1xx responses
	}{
		"nothing": {
			"Bearer lt_1", func(http.ResponseWriter) {},
			unavailable, 503, "Service Unavailable\n", "Retry-After", "2", 0,
		},
		"only a header": {
			"Bearer lt_1", func(w http.ResponseWriter) { w.Header().Set("Content-Length", "1000") },
			unavailable, 503, "Service Unavailable\n", "Retry-After", "2", 0,
		},
		"a status": {
			"Bearer lt_1", func(w http.ResponseWriter) { w.WriteHeader(418) },
			unavailable, 418, "", "Retry-After", "2", 0,
		},
		"status 200": {
			"Bearer lt_1", func(w http.ResponseWriter) { w.WriteHeader(200); fmt.Fprint(w, "later") },
			unavailable, 200, "later", "Cache-Control", "no-store", 0,
		},
		"a body": {
			"Bearer lt_1", func(w http.ResponseWriter) { fmt.Fprint(w, "later, "); fmt.Fprint(w, "please") },
			unavailable, 503, "later, please", "Retry-After", "2", 0,
		},
		"an empty body": {
			"Bearer lt_1", func(w http.ResponseWriter) { _, _ = w.Write(nil) },
			unavailable, 503, "", "Retry-After", "2", 0,
		},
		"a copied body": {
			"Bearer lt_1", func(w http.ResponseWriter) { _, _ = io.Copy(w, strings.NewReader("later")) },
			unavailable, 503, "later", "Retry-After", "2", 0,
		},
		"a 103": {
			"Bearer lt_1", func(w http.ResponseWriter) { w.WriteHeader(103) },
			unavailable, 503, "Service Unavailable\n", "Retry-After", "2", 1,
		},
		"two of 1xx and a body": {
			"Bearer lt_1", func(w http.ResponseWriter) { w.WriteHeader(102); w.WriteHeader(103); fmt.Fprint(w, "later") },
			unavailable, 503, "later", "Retry-After", "2", 2,
		},
		"a 103 and a status": {
			"Bearer lt_1", func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(418) },
			unavailable, 418, "", "Retry-After", "2", 1,
		},
		"no token": {
			"", func(w http.ResponseWriter) { http.Error(w, "who are you?", http.StatusForbidden) },
			linkauth.Failure{Status: 401, Err: linkauth.ErrNoToken}, 403, "who are you?\n", "WWW-Authenticate", noToken, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []linkauth.Failure
			m := linkauth.New(failing(unavailable.Err), linkauth.WithFailure(func(w http.ResponseWriter, r *http.Request, f linkauth.Failure) {
				if r.URL.Path != "/usage" {
					t.Errorf("the function received the request for %s", r.URL)
				}
				got = append(got, f)
				test.write(w)
			}))
			var log strings.Builder
			server := httptest.NewUnstartedServer(m.Wrap(welcome))
			server.Config.ErrorLog = stdlog.New(&log, "", 0)
			server.Start()
			defer server.Close()
			early := 0
			trace := &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error { early++; return nil }}
			r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, server.URL+"/usage", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", test.authorization)
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0] != test.want {
				t.Errorf("the function received %+v, want %+v", got, test.want)
			}
			if resp.StatusCode != test.code || string(body) != test.body || resp.Header.Get(test.header) != test.value || early != test.early {
				t.Errorf("got %d %q %v after %d of 1xx", resp.StatusCode, body, resp.Header, early)
			}
			server.Close() // waits for the handler
			if log.Len() > 0 {
				t.Errorf("net/http logged %s, as for a second status", log.String())
			}
		})
	}
}

// The response arrives while the function is still running, with the status of the
// Failure, and the server's deadlines can be set.
func TestWithFailureResponseController(t *testing.T) {
	received := make(chan struct{})
	m := linkauth.New(failing(nil), linkauth.WithFailure(func(w http.ResponseWriter, _ *http.Request, _ linkauth.Failure) {
		controller := http.NewResponseController(w)
		if err := controller.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		if err := controller.Flush(); err != nil {
			t.Error(err)
		}
		select {
		case <-received:
		case <-time.After(10 * time.Second):
			t.Error("the response was not flushed")
		}
		fmt.Fprint(w, "the rest")
	}))
	server := httptest.NewServer(m.Wrap(welcome))
	defer server.Close()
	resp, err := server.Client().Get(server.URL) // without a token
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	close(received)
	if body, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusUnauthorized || string(body) != "the rest" || err != nil {
		t.Errorf("got %s %q, %v", resp.Status, body, err)
	}
}

// noFlush is a ResponseWriter that can't flush.
type noFlush struct{ http.ResponseWriter }

func TestWithFailureFlushNotSupported(t *testing.T) {
	w := httptest.NewRecorder()
	m := linkauth.New(failing(nil), linkauth.WithFailure(func(w http.ResponseWriter, _ *http.Request, _ linkauth.Failure) {
		if err := http.NewResponseController(w).Flush(); err == nil {
			t.Error("got no error")
		}
	}))
	m.Wrap(welcome).ServeHTTP(noFlush{w}, request())
	if w.Code != http.StatusUnauthorized {
		t.Errorf("got %d", w.Code)
	}
}
