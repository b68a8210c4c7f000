package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

const key = "sdk_start"

var request = client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w"}

// newFake serves a server on a socket. It returns the server, and a client for it that
// does not retry.
func newFake(t *testing.T) (*server, *client.Client) {
	t.Helper()
	s := newServer(key, time.Minute)
	return s, newClient(t, key, onSocket(t, s))
}

// onSocket serves a handler and returns its URL.
func onSocket(t *testing.T, handler http.Handler) string {
	t.Helper()
	socket := httptest.NewServer(handler)
	t.Cleanup(socket.Close)
	return socket.URL
}

func newClient(t *testing.T, key, baseURL string) *client.Client {
	t.Helper()
	c, err := client.New(key, client.WithBaseURL(baseURL), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// send sends a request to a control endpoint and returns the response.
func send(t *testing.T, server *server, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return w
}

// control sends a request to a control endpoint, which must succeed.
func control(t *testing.T, server *server, method, path, body string) {
	t.Helper()
	if w := send(t, server, method, path, body); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
		t.Errorf("%s %s %s: got %d %s, want 204 without a body", method, path, body, w.Code, w.Body)
	}
}

func requests(t *testing.T, server *server) []clienttest.Request {
	t.Helper()
	w := send(t, server, "GET", "/_fake/requests", "")
	var list []clienttest.Request
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 || list == nil {
		t.Fatalf("got %d %s, %v, want a list", w.Code, w.Body, err)
	}
	return list
}

func generate(t *testing.T, c *client.Client) string {
	t.Helper()
	token, err := c.GenerateLinkToken(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return token.Token
}

func TestTokens(t *testing.T) {
	for name, end := range map[string]struct{ path, body string }{
		"advance": {"/_fake/advance", `{"by":"1m"}`},
		"expire":  {"/_fake/expire", `{"token":"TOKEN"}`},
		"revoke":  {"/_fake/revoke", `{"token":"TOKEN"}`},
	} {
		t.Run(name, func(t *testing.T) {
			server, c := newFake(t)
			token := generate(t, c)
			if v, err := c.ValidateLinkToken(t.Context(), token); err != nil || !v.Valid {
				t.Errorf("before: got %+v, %v", v, err)
			}
			control(t, server, "POST", end.path, strings.ReplaceAll(end.body, "TOKEN", token))
			if v, err := c.ValidateLinkToken(t.Context(), token); err != nil || v.Valid {
				t.Errorf("after: got %+v, %v, want it not valid", v, err)
			}
		})
	}
}

func TestKey(t *testing.T) {
	server := newServer(key, time.Minute)
	baseURL := onSocket(t, server)
	old, other := newClient(t, key, baseURL), newClient(t, "sdk_other", baseURL)
	for _, step := range []struct {
		body          string
		first, second int
	}{{`{"key":"sdk_other"}`, 401, 200}, {`{"key":""}`, 401, 401}, {`{"key":"` + key + `"}`, 200, 401}} {
		control(t, server, "PUT", "/_fake/key", step.body)
		_, firstErr := old.GenerateLinkToken(t.Context(), request)
		_, secondErr := other.GenerateLinkToken(t.Context(), request)
		if status(firstErr) != step.first || status(secondErr) != step.second {
			t.Errorf("after %s: got %v and %v, want %d and %d", step.body, firstErr, secondErr, step.first, step.second)
		}
	}
}

func TestRequests(t *testing.T) {
	server, c := newFake(t)
	if w := send(t, server, "GET", "/_fake/requests", ""); strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("got %s, want an empty list", w.Body)
	}
	_, _ = c.ValidateLinkToken(t.Context(), "lt_1")
	generate(t, c)
	want := []clienttest.Request{
		{Operation: "validateLinkToken", LinkToken: "lt_1"},
		{Operation: "generateLinkToken", CustomerID: "c", WorkspaceID: "w"},
	}
	if got := requests(t, server); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v without the requests to control endpoints", got, want)
	}
	for i := range 10_000 {
		send(t, server, "GET", fmt.Sprint("/api/v1/link-token/", i), "")
	}
	if got := requests(t, server); len(got) != 10_000 || got[0].LinkToken != "0" || got[9_999].LinkToken != "9999" {
		t.Errorf("got %d requests from %+v to %+v, want the newest 10,000", len(got), got[0], got[len(got)-1])
	}
}

func TestReset(t *testing.T) {
	server, c := newFake(t)
	before := generate(t, c)
	control(t, server, "POST", "/_fake/advance", `{"by":"-24h"}`)
	control(t, server, "PUT", "/_fake/key", `{"key":"sdk_other"}`)
	control(t, server, "POST", "/_fake/faults", `{"kind":"status","status":503,"always":true}`)
	control(t, server, "POST", "/_fake/reset", "")

	if got := requests(t, server); len(got) != 0 {
		t.Errorf("requests: got %+v, want none", got)
	}
	token, err := c.GenerateLinkToken(t.Context(), request)
	if err != nil {
		t.Fatalf("key or faults: %v", err)
	}
	if left := time.Until(token.ExpiresAt); left < 30*time.Second || left > time.Minute {
		t.Errorf("clock and lifetime: the new token lives for %v, want a minute", left)
	}
	if _, err := c.ValidateLinkToken(t.Context(), before); !errors.Is(err, client.ErrBadRequest) {
		t.Errorf("tokens: got %v, want ErrBadRequest", err)
	}
}

func TestRefusals(t *testing.T) {
	server, c := newFake(t)
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", "/_fake/advance", `{"by":"1 hour"}`, 400, `invalid value for by: "1 hour"`},
		{"POST", "/_fake/advance", `{"by":3600}`, 400, `invalid value for by: 3600`},
		{"POST", "/_fake/advance", `{}`, 400, "by is missing"},
		{"POST", "/_fake/advance", ``, 400, "the body must be a JSON object"},
		{"POST", "/_fake/advance", `"1h"`, 400, "the body must be a JSON object"},
		{"POST", "/_fake/advance", `{"by":"1h"}{}`, 400, "the body must be a JSON object"},
		{"POST", "/_fake/advance", `{"By":"1h"}`, 400, `unknown field "By"`},
		{"POST", "/_fake/expire", `{"token":"lt_unknown"}`, 404, "unknown link token"},
		{"POST", "/_fake/revoke", `{"token":"lt_unknown"}`, 404, "unknown link token"},
		{"POST", "/_fake/revoke", `{}`, 400, "token is missing"},
		{"PUT", "/_fake/key", `{"key":null}`, 400, "key is missing"},
		{"POST", "/_fake/faults", `{}`, 400, "kind is missing"},
		{"POST", "/_fake/faults", `{"kind":"Cut"}`, 400, `unknown kind "Cut"; want status, response, cut, cutResponse, silence or delay`},
		{"POST", "/_fake/faults", `{"kind":"status"}`, 400, "the kind status requires a status from 200 to 599"},
		{"POST", "/_fake/faults", `{"kind":"response","body":"{}"}`, 400, "the kind response requires a status from 200 to 599"},
		{"POST", "/_fake/faults", `{"kind":"status","status":199}`, 400, "the kind status requires a status from 200 to 599"},
		{"POST", "/_fake/faults", `{"kind":"response","status":600}`, 400, "the kind response requires a status from 200 to 599"},
		{"POST", "/_fake/faults", `{"kind":"status","status":"503"}`, 400, `invalid value for status: "503"`},
		{"POST", "/_fake/faults", `{"kind":"response","status":200,"body":{}}`, 400, `invalid value for body: {}`},
		{"POST", "/_fake/faults", `{"kind":"cut","status":503}`, 400, "the kind cut does not allow the field status"},
		{"POST", "/_fake/faults", `{"kind":"status","status":503,"body":"x"}`, 400, "the kind status does not allow the field body"},
		{"POST", "/_fake/faults", `{"kind":"silence","contentType":"text/html"}`, 400, "the kind silence does not allow the field contentType"},
		{"POST", "/_fake/faults", `{"kind":"response","status":200,"contentType":"a\nb"}`, 400, "contentType must be a single line"},
		{"POST", "/_fake/faults", `{"kind":"response","status":503,"retryAfter":"1s"}`, 400, "the kind response does not allow the field retryAfter"},
		{"POST", "/_fake/faults", `{"kind":"status","status":503,"retryAfter":"-1s"}`, 400, "retryAfter and delay must not be negative"},
		{"POST", "/_fake/faults", `{"kind":"delay"}`, 400, "the kind delay requires the field delay"},
		{"POST", "/_fake/faults", `{"kind":"silence","delay":"1s"}`, 400, "the kind silence does not allow the field delay"},
		{"POST", "/_fake/faults", `{"kind":"delay","delay":"-1s"}`, 400, "retryAfter and delay must not be negative"},
		{"POST", "/_fake/faults", `{"kind":"cut","times":-1}`, 400, "times must be from 0 to 1000"},
		{"POST", "/_fake/faults", `{"kind":"cut","times":1001}`, 400, "times must be from 0 to 1000"},
		{"POST", "/_fake/faults", `{"kind":"cut","times":1,"always":true}`, 400, "times can't be combined with always"},
		{"POST", "/_fake/faults", `{"kind":"cut","operation":"validate"}`, 400, `unknown operation "validate"`},
		{"POST", "/_fake/faults", `{"kind":"cut","after":"1s"}`, 400, `unknown field "after"`},
		{"GET", "/_fake/advance", ``, 404, "unknown endpoint GET /_fake/advance; GET / on fakeapi lists the endpoints"},
		{"POST", "/_fake/advance/", `{"by":"1h"}`, 404, "unknown endpoint POST /_fake/advance/; GET / on fakeapi lists the endpoints"},
		{"GET", "/elsewhere", ``, 404, "no such operation"},
	} {
		w := send(t, server, test.method, test.path, test.body)
		want := fmt.Sprintf(`{"error":{"code":%d,"message":%s}}`, test.status, quoted(t, test.want))
		if w.Code != test.status || strings.TrimSpace(w.Body.String()) != want || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %s:\ngot  %d %s\nwant %d %s", test.method, test.path, test.body, w.Code, w.Body, test.status, want)
		}
	}
	generate(t, c) // succeeds: no fault was queued and the key is unchanged
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	encoded, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

func TestHealth(t *testing.T) {
	server, _ := newFake(t)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if w := send(t, server, method, "/healthz", ""); w.Code != 200 {
			t.Errorf("%s: got %d", method, w.Code)
		}
	}
}

// GET / shows a working curl command for each endpoint.
func TestUsage(t *testing.T) {
	server, c := newFake(t)
	text := send(t, server, "GET", "http://fake.example:8090/", "").Body.String()
	if strings.Contains(text, "\t") || strings.Contains(text, "{base}") || strings.Contains(text, "{key}") {
		t.Errorf("the text contains tabs or placeholders:\n%s", text)
	}
	for _, want := range []string{"ONELOOP_BASE_URL=http://fake.example:8090 ONELOOP_SDK_KEY=" + key, "ONELOOP_INSECURE_HTTP=1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	endpoints := map[string]bool{}
	text = strings.ReplaceAll(text, "\\\n", "")
	for line := range strings.Lines(text) {
		command, isCurl := strings.CutPrefix(strings.TrimSpace(line), "curl ")
		if !isCurl {
			continue
		}
		method, body := "GET", ""
		if before, data, ok := strings.Cut(command, "-d '"); ok {
			command, method, body = before, "POST", strings.TrimSuffix(data, "'")
		}
		if explicit, ok := strings.CutPrefix(command, "-X "); ok {
			method, command, _ = strings.Cut(explicit, " ")
		}
		target, _, _ := strings.Cut(command, " ")
		path, ok := strings.CutPrefix(target, "http://fake.example:8090")
		if !ok {
			t.Fatalf("%s: the target is %q", line, target)
		}
		req := httptest.NewRequestWithContext(t.Context(), method, strings.ReplaceAll(path, "TOKEN", generate(t, c)),
			strings.NewReader(strings.ReplaceAll(body, "TOKEN", generate(t, c))))
		if strings.Contains(line, "Authorization: Bearer "+key+"'") {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		if strings.Contains(line, "Content-Type: application/json'") {
			req.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		server.ServeHTTP(w, req)
		if w.Code != 200 && w.Code != 204 {
			t.Errorf("%s\ngot %d %s", line, w.Code, w.Body)
		}
		endpoints[method+" "+path] = true
		send(t, server, "POST", "/_fake/reset", "") // so that c can generate link tokens
	}
	if len(endpoints) != 11 {
		t.Errorf("the text shows %d endpoints, want 11: %v", len(endpoints), endpoints)
	}
}

// The server does not redirect requests to a cleaned path.
func TestPaths(t *testing.T) {
	baseURL := onSocket(t, newServer(key, time.Minute))
	c := newClient(t, key, baseURL+"/base")
	if v, err := c.ValidateLinkToken(t.Context(), generate(t, c)); err != nil || !v.Valid {
		t.Errorf("got %+v, %v", v, err)
	}
	resp, err := http.Get(baseURL + "/api/v1/link-token/../x//y")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 404 || resp.Request.URL.Path != "/api/v1/link-token/../x//y" {
		t.Errorf("got %s from %s", resp.Status, resp.Request.URL)
	}
}
