package clienttest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func TestSDKKeys(t *testing.T) {
	api := clienttest.NewAPI(clienttest.WithSDKKey("sdk_first"))
	key := "sdk_first"
	c, err := client.New("", client.WithHTTPClient(api.HTTPClient()), once,
		client.WithKeySource(func(context.Context) (string, error) { return key, nil }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.GenerateLinkToken(t.Context(), request); err != nil {
		t.Errorf("the key of WithSDKKey: got %v", err)
	}
	for _, step := range []struct {
		name, accepted, sent string
		want                 error
	}{
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
	for _, sent := range []string{"", clienttest.SDKKey} {
		status, _ := send(t, clienttest.NewAPI(clienttest.WithSDKKey("")), "GET", "/api/v1/link-token/t", "Bearer "+sent, "", "")
		if status != 401 {
			t.Errorf("got %d for key %q, want 401 as no key is accepted", status, sent)
		}
	}
}

func TestRejections(t *testing.T) {
	const (
		good = "Bearer " + clienttest.SDKKey
		path = "/api/v1/link-token"
		body = `{"customerId":"c","workspaceId":"w"}`
	)
	for name, test := range map[string]struct {
		method, path, authorization, contentType, body string
		want                                           int
		message                                        string
	}{
		"good":                    {"POST", path, good, "application/json", body, 200, ""},
		"under a base path":       {"POST", "/a/b" + path, good, "application/json", body, 200, ""},
		"a base path like it":     {"POST", path + "/gw" + path, good, "application/json", body, 200, ""},
		"bearer in lower case":    {"POST", path, "bearer " + clienttest.SDKKey, "application/json", body, 200, ""},
		"two spaces":              {"POST", path, "BEARER  " + clienttest.SDKKey, "application/json", body, 200, ""},
		"charset":                 {"POST", path, good, "application/json; charset=utf-8", body, 200, ""},
		"unknown field":           {"POST", path, good, "application/json", `{"customerId":"c","workspaceId":"w","x":1}`, 200, ""},
		"no key":                  {"POST", path, "", "application/json", body, 401, "invalid SDK key"},
		"wrong key":               {"POST", path, good + "x", "application/json", body, 401, "invalid SDK key"},
		"key alone":               {"POST", path, clienttest.SDKKey, "application/json", body, 401, "invalid SDK key"},
		"wrong scheme":            {"POST", path, "Basic " + clienttest.SDKKey, "application/json", body, 401, "invalid SDK key"},
		"wrong key before body":   {"POST", path, "Bearer x", "application/json", "", 401, "invalid SDK key"},
		"wrong key for a token":   {"GET", path + "/t", "Bearer x", "", "", 401, "invalid SDK key"},
		"no body":                 {"POST", path, good, "application/json", "", 400, "the body is not a JSON object"},
		"not JSON":                {"POST", path, good, "application/json", "{", 400, "the body is not a JSON object"},
		"array":                   {"POST", path, good, "application/json", "[]", 400, "the body is not a JSON object"},
		"null":                    {"POST", path, good, "application/json", "null", 400, "customerId is missing or not a string"},
		"two values":              {"POST", path, good, "application/json", body + body, 400, "the body is not a JSON object"},
		"no customer":             {"POST", path, good, "application/json", `{"workspaceId":"w"}`, 400, "customerId is missing or not a string"},
		"no workspace":            {"POST", path, good, "application/json", `{"customerId":"c"}`, 400, "workspaceId is missing or not a string"},
		"null customer":           {"POST", path, good, "application/json", `{"customerId":null,"workspaceId":"w"}`, 400, "customerId is missing or not a string"},
		"longer than 1 MiB":       {"POST", path, good, "application/json", strings.Repeat(" ", 1<<20) + body, 400, "the body is not a JSON object"},
		"number for a workspace":  {"POST", path, good, "application/json", `{"customerId":"c","workspaceId":1}`, 400, "workspaceId is missing or not a string"},
		"null billing id":         {"POST", path, good, "application/json", `{"customerId":"c","workspaceId":"w","externalBillingId":null}`, 400, "externalBillingId is missing or not a string"},
		"names in another case":   {"POST", path, good, "application/json", `{"CustomerID":"c","WorkspaceID":"w"}`, 400, "customerId is missing or not a string"},
		"not UTF-8":               {"POST", path, good, "application/json", "{\"customerId\":\"\xff\",\"workspaceId\":\"w\"}", 400, "the body is not a JSON object"},
		"form":                    {"POST", path, good, "application/x-www-form-urlencoded", "customerId=c&workspaceId=w", 400, "the content type is not application/json"},
		"unknown token":           {"GET", path + "/t", good, "", "", 400, "unknown link token"},
		"empty token":             {"GET", path + "/", good, "", "", 404, "no such operation"},
		"token of two segments":   {"GET", path + "/a/b", good, "", "", 404, "no such operation"},
		"method":                  {"DELETE", path + "/t", good, "", "", 404, "no such operation"},
		"POST to a token":         {"POST", path + "/t", good, "application/json", body, 404, "no such operation"},
		"GET without a token":     {"GET", path, good, "", "", 404, "no such operation"},
		"another path":            {"GET", "/", good, "", "", 404, "no such operation"},
		"another path, wrong key": {"GET", "/api/v2/link-token/t", "", "", "", 404, "no such operation"},
	} {
		t.Run(name, func(t *testing.T) {
			got, message := send(t, clienttest.NewAPI(), test.method, test.path, test.authorization, test.contentType, test.body)
			if got != test.want || message != test.message {
				t.Errorf("got %d %s, want %d %s", got, message, test.want, test.message)
			}
		})
	}
}

func TestBodiesWithoutContent(t *testing.T) {
	for want, body := range map[string]io.Reader{
		"the body is missing":        nil,
		"the body could not be read": iotest.ErrReader(errors.New("cut")),
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://oneloop.example/api/v1/link-token", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer " + clienttest.SDKKey}, "Content-Type": {"application/json"}}
		resp, err := clienttest.NewAPI().RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 400 || !strings.Contains(string(got), want) {
			t.Errorf("got %s %s, %v, want 400 with %q", resp.Status, got, err, want)
		}
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
