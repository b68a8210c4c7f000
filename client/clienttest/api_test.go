package clienttest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

var request = client.GenerateLinkTokenRequest{CustomerID: "c1", WorkspaceID: "w1", ExternalBillingID: "b1"}

// once is a policy that shows each answer as it is.
var once = client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1})

func newClient(tb testing.TB, api *clienttest.API, opts ...client.Option) *client.Client {
	tb.Helper()
	c, err := client.New(clienttest.SDKKey, append([]client.Option{client.WithHTTPClient(api.HTTPClient())}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// bothWays runs test in memory and on a socket.
func bothWays(t *testing.T, test func(t *testing.T, api *clienttest.API, c *client.Client)) {
	t.Helper()
	t.Run("in memory", func(t *testing.T) {
		api := clienttest.NewAPI()
		test(t, api, newClient(t, api, once))
	})
	t.Run("on a socket", func(t *testing.T) {
		api := clienttest.NewAPI()
		server := httptest.NewServer(api)
		defer server.Close()
		c, err := client.New(clienttest.SDKKey, client.WithBaseURL(server.URL), once)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseIdleConnections()
		test(t, api, c)
	})
}

func mustGenerate(t *testing.T, c *client.Client) *client.LinkToken {
	t.Helper()
	token, err := c.GenerateLinkToken(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestGeneratedTokenValidates(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c)
		got, err := c.ValidateLinkToken(t.Context(), token.Token)
		if err != nil {
			t.Fatal(err)
		}
		want := client.LinkTokenValidation{Valid: true, ExpiresAt: token.ExpiresAt, WorkspaceID: "w1", CustomerID: "c1", ExternalBillingID: "b1"}
		if *got != want {
			t.Errorf("got %+v, want %+v", *got, want)
		}
		if other := mustGenerate(t, c); other.Token == token.Token {
			t.Error("two link tokens are equal")
		}
	})
}

func TestExpiry(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c)
		for _, step := range []struct {
			advance time.Duration
			valid   bool
		}{{0, true}, {14 * time.Minute, true}, {time.Minute, false}, {-time.Minute, true}} {
			api.Advance(step.advance)
			v, err := c.ValidateLinkToken(t.Context(), token.Token)
			if err != nil || v.Valid != step.valid || v.CustomerID != "c1" {
				t.Errorf("after %v more: got %+v, %v, want valid %t", step.advance, v, err, step.valid)
			}
		}
	})
}

func TestClockAndLifetime(t *testing.T) {
	for _, now := range []time.Time{
		time.Unix(0, 0), time.Unix(90_000_000, 0), time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		api := clienttest.NewAPI(clienttest.WithLifetime(time.Hour), clienttest.WithClock(func() time.Time { return now }))
		c := newClient(t, api)
		if got, want := mustGenerate(t, c).ExpiresAt, now.Add(time.Hour); !got.Equal(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	expired := clienttest.NewAPI(clienttest.WithLifetime(0))
	c := newClient(t, expired)
	if v, err := c.ValidateLinkToken(t.Context(), mustGenerate(t, c).Token); err != nil || v.Valid {
		t.Errorf("got %+v, %v, want a token that is born expired", v, err)
	}
}

func TestRevoke(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c)
		if !api.Revoke(token.Token) || api.Revoke("another") {
			t.Error("Revoke does not know which token it made")
		}
		if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid {
			t.Errorf("got %+v, %v, want an invalid token", v, err)
		}
	})
}

func TestUnknownToken(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		if _, err := c.ValidateLinkToken(t.Context(), "lt_unknown"); !errors.Is(err, client.ErrBadRequest) {
			t.Errorf("got %v, want ErrBadRequest", err)
		}
	})
}

// send sends a request as no client of ours would.
func send(t *testing.T, api *clienttest.API, method, path, authorization, contentType, body string) (int, string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, req)
	var answer struct {
		Error struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	if w.Code != 200 && (answer.Error.Code != w.Code || answer.Error.Message == "") {
		t.Errorf("%s %s: %d with %s, which is not the contract's error shape", method, path, w.Code, w.Body)
	}
	return w.Code, answer.Error.Message
}

func TestRefusals(t *testing.T) {
	const (
		good = "Bearer " + clienttest.SDKKey
		path = "/api/v1/link-token"
		body = `{"customerId":"c","workspaceId":"w"}`
	)
	for name, test := range map[string]struct {
		method, path, authorization, contentType, body string
		want                                           int
	}{
		"good":                    {"POST", path, good, "application/json", body, 200},
		"under a base path":       {"POST", "/a/b" + path, good, "application/json", body, 200},
		"a base path like it":     {"POST", path + "/gw" + path, good, "application/json", body, 200},
		"charset":                 {"POST", path, good, "application/json; charset=utf-8", body, 200},
		"unknown field":           {"POST", path, good, "application/json", `{"customerId":"c","workspaceId":"w","x":1}`, 200},
		"no key":                  {"POST", path, "", "application/json", body, 401},
		"wrong key":               {"POST", path, good + "x", "application/json", body, 401},
		"wrong scheme":            {"POST", path, "Basic " + clienttest.SDKKey, "application/json", body, 401},
		"wrong key before body":   {"POST", path, "Bearer x", "application/json", "", 401},
		"wrong key for a token":   {"GET", path + "/t", "Bearer x", "", "", 401},
		"no body":                 {"POST", path, good, "application/json", "", 400},
		"not JSON":                {"POST", path, good, "application/json", "{", 400},
		"array":                   {"POST", path, good, "application/json", "[]", 400},
		"null":                    {"POST", path, good, "application/json", "null", 400},
		"two values":              {"POST", path, good, "application/json", body + body, 400},
		"no customer":             {"POST", path, good, "application/json", `{"workspaceId":"w"}`, 400},
		"no workspace":            {"POST", path, good, "application/json", `{"customerId":"c"}`, 400},
		"null customer":           {"POST", path, good, "application/json", `{"customerId":null,"workspaceId":"w"}`, 400},
		"number for a workspace":  {"POST", path, good, "application/json", `{"customerId":"c","workspaceId":1}`, 400},
		"null billing id":         {"POST", path, good, "application/json", `{"customerId":"c","workspaceId":"w","externalBillingId":null}`, 400},
		"names in another case":   {"POST", path, good, "application/json", `{"CustomerID":"c","WorkspaceID":"w"}`, 400},
		"not UTF-8":               {"POST", path, good, "application/json", "{\"customerId\":\"\xff\",\"workspaceId\":\"w\"}", 400},
		"form":                    {"POST", path, good, "application/x-www-form-urlencoded", "customerId=c&workspaceId=w", 400},
		"unknown token":           {"GET", path + "/t", good, "", "", 400},
		"empty token":             {"GET", path + "/", good, "", "", 404},
		"token of two segments":   {"GET", path + "/a/b", good, "", "", 404},
		"method":                  {"DELETE", path + "/t", good, "", "", 404},
		"POST to a token":         {"POST", path + "/t", good, "application/json", body, 404},
		"GET without a token":     {"GET", path, good, "", "", 404},
		"another path":            {"GET", "/", good, "", "", 404},
		"another path, wrong key": {"GET", "/api/v2/link-token/t", "", "", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			got, message := send(t, clienttest.NewAPI(), test.method, test.path, test.authorization, test.contentType, test.body)
			if got != test.want {
				t.Errorf("got %d %s, want %d", got, message, test.want)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c).Token
		validate := func() error {
			_, err := c.ValidateLinkToken(t.Context(), token)
			return err
		}
		response := func(err error) *client.ErrorResponse {
			t.Helper()
			var e *client.ErrorResponse
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *ErrorResponse", err)
			}
			return e
		}
		for name, test := range map[string]struct {
			fault clienttest.Fault
			check func(error) bool
		}{
			"403": {clienttest.Status(403), func(err error) bool {
				e := response(err)
				return errors.Is(err, client.ErrForbidden) && e.Code == 403 && e.Message == "Forbidden"
			}},
			"503 with Retry-After": {clienttest.StatusRetryAfter(503, 1500*time.Millisecond), func(err error) bool { return response(err).RetryAfter == 2*time.Second }},
			"redirect":             {clienttest.Answer(302, http.Header{"Location": {"/"}}, ""), func(err error) bool { return response(err).StatusCode == 302 }},
			"no content":           {clienttest.Answer(204, nil, `{"valid":true,"expiresAt":1,"workspaceId":"w","customerId":"c"}`), func(err error) bool { return errors.Is(err, client.ErrMalformedResponse) }},
			"HTML":                 {clienttest.Answer(200, http.Header{"Content-Type": {"text/html"}}, "<html>"), func(err error) bool { return errors.Is(err, client.ErrMalformedResponse) }},
			"no content type":      {clienttest.Answer(200, http.Header{"Content-Type": nil}, "{}"), func(err error) bool { return strings.Contains(err.Error(), "content type") }},
			"a field missing":      {clienttest.Answer(200, nil, `{"valid":true}`), func(err error) bool { return strings.Contains(err.Error(), "expiresAt is missing") }},
			"another good answer": {clienttest.Answer(200, nil, `{"valid":true,"expiresAt":1,"workspaceId":"w","customerId":"c"}`),
				func(err error) bool { return err == nil }},
			"cut": {clienttest.Cut(), func(err error) bool {
				var e *client.ErrorResponse
				return err != nil && !errors.As(err, &e)
			}},
			"delay": {clienttest.Delay(time.Millisecond), func(err error) bool { return err == nil }},
			"mistake: status 99": {clienttest.Status(99), func(err error) bool {
				return strings.Contains(response(err).Message, "clienttest: a fault has status 99")
			}},
			"mistake: status 0": {clienttest.Answer(0, nil, ""), func(err error) bool { return response(err).StatusCode == 501 }},
			"mistake: zero":     {clienttest.Fault{}, func(err error) bool { return strings.Contains(response(err).Message, "zero Fault") }},
		} {
			api.Queue(test.fault)
			if err := validate(); !test.check(err) {
				t.Errorf("%s: got %v", name, err)
			}
			if err := validate(); err != nil {
				t.Errorf("after %s: got %v", name, err)
			}
		}
		api.Queue(clienttest.Status(500), clienttest.Status(503))
		api.Queue(clienttest.Status(429))
		for _, want := range []int{500, 503, 429} {
			if got := response(validate()).StatusCode; got != want {
				t.Errorf("got %d, want %d: faults are met in order", got, want)
			}
		}
	})
}

// The token whose generation is cut off exists, and the retry makes another.
func TestCutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		api := clienttest.NewAPI(clienttest.WithClock(func() time.Time { made++; return time.Now() }))
		api.Queue(clienttest.CutAnswer())
		if _, err := newClient(t, api).GenerateLinkToken(t.Context(), request); err != nil || made != 2 {
			t.Errorf("got %v and %d link tokens, want 2", err, made)
		}
		api.Queue(clienttest.Cut())
		if _, err := newClient(t, api).GenerateLinkToken(t.Context(), request); err != nil || made != 3 {
			t.Errorf("got %v and %d link tokens, want 3", err, made)
		}
	})
}

func TestMistakesOfOptions(t *testing.T) {
	for name, opt := range map[string]clienttest.Option{
		"WithClock(nil)": clienttest.WithClock(nil),
		"before 1970":    clienttest.WithClock(func() time.Time { return time.Unix(-1e9, 0) }),
		"after 9999":     clienttest.WithClock(func() time.Time { return time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }),
	} {
		_, err := newClient(t, clienttest.NewAPI(opt), once).GenerateLinkToken(t.Context(), request)
		if err == nil || !strings.Contains(err.Error(), "501 Not Implemented: clienttest: ") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestSilence(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		api.Queue(clienttest.Silence())
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := c.GenerateLinkToken(ctx, request); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// Retries, waits, timeouts and expiry run on the bubble's clock.
func TestInSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := clienttest.NewAPI()
		c := newClient(t, api)
		start := time.Now()
		api.Queue(clienttest.Silence(), clienttest.StatusRetryAfter(503, 5*time.Second), clienttest.Delay(2*time.Second))
		token, err := c.GenerateLinkToken(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got < 15*time.Second || got > 15250*time.Millisecond {
			t.Errorf("it took %v, want 8 s of silence, 5 s of waiting, and 2 s of delay", got)
		}
		time.Sleep(time.Until(token.ExpiresAt) - 1)
		if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || !v.Valid {
			t.Errorf("before it expires: %+v, %v", v, err)
		}
		time.Sleep(time.Nanosecond) // now it is ExpiresAt
		if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid {
			t.Errorf("when it expires: %+v, %v", v, err)
		}
	})
}

func TestRequests(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		api.Queue(clienttest.Status(503))
		_, _ = c.GenerateLinkToken(t.Context(), request)
		_, _ = c.ValidateLinkToken(t.Context(), "a!(b)")
		want := []clienttest.Request{
			{Operation: "generateLinkToken", CustomerID: "c1", WorkspaceID: "w1", ExternalBillingID: "b1"},
			{Operation: "validateLinkToken", LinkToken: "a!(b)"},
		}
		got := api.Requests()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		got[0].CustomerID = "changed"
		if api.Requests()[0].CustomerID != "c1" {
			t.Error("Requests handed out its own slice")
		}
		if strings.Contains(fmt.Sprintf("%+v", got), clienttest.SDKKey) {
			t.Error("the requests hold the SDK key")
		}
	})
	api := clienttest.NewAPI()
	send(t, api, "GET", "/elsewhere", "", "", "")
	if got := api.Requests(); !reflect.DeepEqual(got, []clienttest.Request{{}}) {
		t.Errorf("got %+v, want one request of no operation", got)
	}
}

func TestEndedContext(t *testing.T) {
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

// A clock that asks the API does not deadlock.
func TestClockMayCallTheAPI(t *testing.T) {
	var api *clienttest.API
	api = clienttest.NewAPI(clienttest.WithClock(func() time.Time {
		return time.Now().Add(time.Duration(len(api.Requests())) * time.Second)
	}))
	c := newClient(t, api)
	if v, err := c.ValidateLinkToken(t.Context(), mustGenerate(t, c).Token); err != nil || !v.Valid {
		t.Errorf("got %+v, %v", v, err)
	}
}

// Silence ends when the client goes, even if the request was not read as JSON.
func TestSilenceOnASocketEnds(t *testing.T) {
	api := clienttest.NewAPI()
	server := httptest.NewServer(api)
	defer server.Close() // which waits for the handler
	api.Queue(clienttest.Silence())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/v1/link-token", strings.NewReader("not JSON"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Error("got an answer")
	}
}

func TestLongestRetryAfter(t *testing.T) {
	api := clienttest.NewAPI()
	api.Queue(clienttest.StatusRetryAfter(503, 1<<63-1), clienttest.StatusRetryAfter(503, -time.Hour))
	c := newClient(t, api, once)
	for _, want := range []time.Duration{1<<63 - 1, 0} {
		_, err := c.GenerateLinkToken(t.Context(), request)
		var e *client.ErrorResponse
		if !errors.As(err, &e) || e.RetryAfter != want {
			t.Errorf("got %v with RetryAfter %v, want %v", err, e.RetryAfter, want)
		}
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
					_ = api.Requests()
				}
			})
		}
		wg.Wait()
		if got := len(api.Requests()); got != 640 {
			t.Errorf("%d requests were kept, want 640", got)
		}
	})
}
