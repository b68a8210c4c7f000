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
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

var request = client.GenerateLinkTokenRequest{CustomerID: "c1", WorkspaceID: "w1", ExternalBillingID: "b1"}

// once disables retries, so that tests see each response.
var once = client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1})

func newClient(tb testing.TB, api *clienttest.API, opts ...client.Option) *client.Client {
	tb.Helper()
	c, err := client.New(clienttest.SDKKey, append([]client.Option{client.WithHTTPClient(api.HTTPClient())}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// bothWays runs test twice: in memory and on a socket.
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
		t.Errorf("got %+v, %v, want a token that has already expired", v, err)
	}

	const centuries = 200 * 365 * 24 * time.Hour // twice that is more than the longest Duration
	api := clienttest.NewAPI(clienttest.WithLifetime(centuries))
	api.Advance(centuries)
	if got, want := mustGenerate(t, newClient(t, api)).ExpiresAt, time.Now().Add(centuries); got.Before(want) {
		t.Errorf("got %v, want centuries after %v", got, want)
	}
}

func TestRevoke(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c)
		if !api.Revoke(token.Token) || api.Revoke("another") {
			t.Error("Revoke returned false for a generated token, or true for another one")
		}
		if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid {
			t.Errorf("got %+v, %v, want an invalid token", v, err)
		}
	})
}

func TestExpire(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token, other := mustGenerate(t, c), mustGenerate(t, c)
		if !api.Expire(token.Token) || api.Expire("another") {
			t.Error("Expire returned false for a generated token, or true for another one")
		}
		v, err := c.ValidateLinkToken(t.Context(), token.Token)
		if err != nil || v.Valid || v.ExpiresAt.After(time.Now()) || v.CustomerID != "c1" {
			t.Errorf("got %+v, %v, want a token that has expired", v, err)
		}
		api.Advance(-time.Hour)
		if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid {
			t.Errorf("an hour earlier: got %+v, %v, want it to remain expired", v, err)
		}
		api.Advance(time.Hour)
		if v, err := c.ValidateLinkToken(t.Context(), other.Token); err != nil || !v.Valid || !v.ExpiresAt.Equal(other.ExpiresAt) {
			t.Errorf("other token: got %+v, %v, want it unchanged", v, err)
		}
	})
}

// Expire does not change the expiry of an expired token, and never sets one before
// 1970, which the contract does not allow.
func TestExpireLimits(t *testing.T) {
	now := time.Unix(-60, 0)
	api := clienttest.NewAPI(clienttest.WithClock(func() time.Time { return now }))
	c := newClient(t, api)
	token := mustGenerate(t, c)
	api.Expire(token.Token)
	if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid || v.ExpiresAt.Unix() != 1 {
		t.Errorf("before 1970: got %+v, %v, want expiry at Unix time 1", v, err)
	}
	token = mustGenerate(t, c)
	api.Advance(24 * time.Hour)
	api.Expire(token.Token)
	if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid || !v.ExpiresAt.Equal(token.ExpiresAt) {
		t.Errorf("after its expiry: got %+v, %v, want expiry at %v", v, err, token.ExpiresAt)
	}
}

func TestSDKKeys(t *testing.T) {
	api := clienttest.NewAPI(clienttest.WithSDKKey("sdk_first"))
	key := "sdk_first"
	c, err := client.New("", client.WithHTTPClient(api.HTTPClient()), once,
		client.WithKeySource(func(context.Context) (string, error) { return key, nil }))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, accepted, sent string
		want                 error
	}{
		{"the key of WithSDKKey", "sdk_first", "sdk_first", nil},
		{"rotated, client with the old key", "sdk_second", "sdk_first", client.ErrUnauthorized},
		{"rotated, client with the new key", "sdk_second", "sdk_second", nil},
		{"revoked", "", "sdk_second", client.ErrUnauthorized},
		{"client with the default key", "sdk_second", clienttest.SDKKey, client.ErrUnauthorized},
	} {
		api.SetSDKKey(step.accepted)
		key = step.sent
		if _, err := c.GenerateLinkToken(t.Context(), request); !errors.Is(err, step.want) {
			t.Errorf("%s: got %v, want %v", step.name, err, step.want)
		}
	}
	status, _ := send(t, clienttest.NewAPI(clienttest.WithSDKKey("")), "GET", "/api/v1/link-token/t", "Bearer ", "", "")
	if status != 401 {
		t.Errorf("got %d for an empty key, want 401", status)
	}
}

func TestUnknownToken(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		if _, err := c.ValidateLinkToken(t.Context(), "lt_unknown"); !errors.Is(err, client.ErrBadRequest) {
			t.Errorf("got %v, want ErrBadRequest", err)
		}
	})
}

// send sends a request that package client would not send.
func send(t *testing.T, api *clienttest.API, method, path, authorization, contentType, body string) (int, string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, req)
	var refusal struct {
		Error struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	if w.Code != 200 && (refusal.Error.Code != w.Code || refusal.Error.Message == "") {
		t.Errorf("%s %s: got %d %s, want the API's error format", method, path, w.Code, w.Body)
	}
	return w.Code, refusal.Error.Message
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
		"bearer in lower case":    {"POST", path, "bearer " + clienttest.SDKKey, "application/json", body, 200},
		"two spaces":              {"POST", path, "BEARER  " + clienttest.SDKKey, "application/json", body, 200},
		"charset":                 {"POST", path, good, "application/json; charset=utf-8", body, 200},
		"unknown field":           {"POST", path, good, "application/json", `{"customerId":"c","workspaceId":"w","x":1}`, 200},
		"no key":                  {"POST", path, "", "application/json", body, 401},
		"wrong key":               {"POST", path, good + "x", "application/json", body, 401},
		"key alone":               {"POST", path, clienttest.SDKKey, "application/json", body, 401},
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

func TestMisuse(t *testing.T) {
	clock := func(now time.Time) clienttest.Option { return clienttest.WithClock(func() time.Time { return now }) }
	for name, test := range map[string]struct {
		api  *clienttest.API
		want string
	}{
		"WithClock(nil)": {clienttest.NewAPI(clienttest.WithClock(nil)), "clienttest: WithClock was given nil"},
		"before 1970":    {clienttest.NewAPI(clock(time.Unix(-1e9, 0))), "clienttest: a link token would expire before 1970 or after 9999"},
		"after 9999":     {clienttest.NewAPI(clock(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))), "clienttest: a link token would expire before 1970 or after 9999"},
		"nil option":     {clienttest.NewAPI(nil), "clienttest: NewAPI was given a nil Option"},
		"zero API":       {new(clienttest.API), "clienttest: the API was not made with NewAPI"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, test.api, once).GenerateLinkToken(t.Context(), request)
			var e *client.ErrorResponse
			if !errors.As(err, &e) || e.StatusCode != 501 || e.Message != test.want {
				t.Errorf("got %v, want 501 with %q", err, test.want)
			}
			if test.api.Expire("lt_1") || test.api.Revoke("lt_1") {
				t.Error("Expire or Revoke returned true for an unknown token")
			}
		})
	}
}

func TestRequests(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		api.Queue(clienttest.Status(503))
		_, _ = c.GenerateLinkToken(t.Context(), request)
		_, _ = c.ValidateLinkToken(t.Context(), "lt_a;b")
		want := []clienttest.Request{
			{Operation: "generateLinkToken", CustomerID: "c1", WorkspaceID: "w1", ExternalBillingID: "b1"},
			{Operation: "validateLinkToken", LinkToken: "lt_a;b"},
		}
		got := api.Requests()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		got[0].CustomerID = "changed"
		if api.Requests()[0].CustomerID != "c1" {
			t.Error("Requests did not return a copy")
		}
		if strings.Contains(fmt.Sprintf("%+v", got), clienttest.SDKKey) {
			t.Error("the requests contain the SDK key")
		}
	})
	api := clienttest.NewAPI()
	send(t, api, "GET", "/elsewhere", "", "", "")
	if got := api.Requests(); !reflect.DeepEqual(got, []clienttest.Request{{}}) {
		t.Errorf("got %+v, want one request without an operation", got)
	}
}

func TestRequestsAsJSON(t *testing.T) {
	got, err := json.Marshal([]clienttest.Request{
		{Operation: "generateLinkToken", CustomerID: "c", WorkspaceID: "w", ExternalBillingID: "b"},
		{Operation: "validateLinkToken", LinkToken: "lt_1"},
		{},
	})
	const want = `[{"operation":"generateLinkToken","customerId":"c","workspaceId":"w","externalBillingId":"b"},` +
		`{"operation":"validateLinkToken","linkToken":"lt_1"},{"operation":""}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// If a request has two problems, the message always names the first.
func TestMessagesAreDeterministic(t *testing.T) {
	for range 100 {
		_, message := send(t, clienttest.NewAPI(), "POST", "/api/v1/link-token", "Bearer "+clienttest.SDKKey, "application/json", `{"externalBillingId":1}`)
		if want := "customerId is missing or not a string"; message != want {
			t.Fatalf("got %q, want %q", message, want)
		}
	}
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

// A clock that calls the API must not cause a deadlock.
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
			t.Errorf("Requests returned %d requests, want 640", got)
		}
	})
}
