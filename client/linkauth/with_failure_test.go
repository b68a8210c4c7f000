package linkauth_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

func TestWithFailure(t *testing.T) {
	refused := &client.ErrorResponse{StatusCode: 503, RetryAfter: 1500 * time.Millisecond}
	for name, test := range map[string]struct {
		authorization string
		write         func(http.ResponseWriter)
		want          linkauth.Failure
		code          int
		body          string
		header, value string // one that the response must have
	}{
		"writes nothing": {
			"Bearer lt_1", func(http.ResponseWriter) {},
			linkauth.Failure{Status: 503, RetryAfter: 2 * time.Second, Err: refused}, 503, "Service Unavailable\n", "Retry-After", "2",
		},
		"writes a header": {
			"Bearer lt_1", func(w http.ResponseWriter) { w.WriteHeader(418) },
			linkauth.Failure{Status: 503, RetryAfter: 2 * time.Second, Err: refused}, 418, "", "Retry-After", "2",
		},
		"writes a body": {
			"Bearer lt_1", func(w http.ResponseWriter) { fmt.Fprint(w, "later") },
			linkauth.Failure{Status: 503, RetryAfter: 2 * time.Second, Err: refused}, 200, "later", "Cache-Control", "no-store",
		},
		"no token": {
			"", func(w http.ResponseWriter) { http.Error(w, "who are you?", http.StatusUnauthorized) },
			linkauth.Failure{Status: 401, Err: linkauth.ErrNoToken}, 401, "who are you?\n", "WWW-Authenticate", noToken,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []linkauth.Failure
			m := linkauth.New(failing(refused), linkauth.WithFailure(func(w http.ResponseWriter, r *http.Request, f linkauth.Failure) {
				if r.URL.Path != "/session" {
					t.Errorf("the function received the request for %s", r.URL)
				}
				got = append(got, f)
				test.write(w)
			}))
			w := serve(m, request(test.authorization))
			if len(got) != 1 || got[0] != test.want {
				t.Errorf("the function received %+v, want %+v", got, test.want)
			}
			if w.Code != test.code || w.Body.String() != test.body || w.Header().Get(test.header) != test.value {
				t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
			}
		})
	}
}
