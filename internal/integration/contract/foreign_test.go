package contract

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// The fake also works with clients that do not use package client. The headers are
// recordings of theirs.
func TestForeignClients(t *testing.T) {
	for name, header := range map[string]http.Header{
		"the TypeScript SDK 1.0.9": {
			"Authorization":   {"Bearer " + clienttest.SDKKey},
			"X-Fern-Language": {"JavaScript"},
			"Accept":          {"*/*"},
			"User-Agent":      {"node-fetch/1.0 (+https://github.com/bitinn/node-fetch)"},
			"Accept-Encoding": {"gzip,deflate"},
		},
		"curl, with bearer in lower case": {
			"Authorization": {"bearer " + clienttest.SDKKey},
			"Accept":        {"*/*"},
			"User-Agent":    {"curl/7.88.1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecked(t, client.DefaultBaseURL)
			send := func(method, path, body string) (status int, response map[string]any) {
				t.Helper()
				req := httptest.NewRequestWithContext(t.Context(), method, client.DefaultBaseURL+path, strings.NewReader(body))
				req.Header = header.Clone()
				if body != "" {
					req.Header.Set("Content-Type", "application/json")
				}
				resp, err := c.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				if err := json.NewDecoder(resp.Body).Decode(&response); err != nil {
					t.Fatal(err)
				}
				return resp.StatusCode, response
			}
			status, generated := send("POST", "/api/v1/link-token", `{"customerId":"c é","workspaceId":"w","externalBillingId":"b"}`)
			token, _ := generated["token"].(string)
			if status != 200 || token == "" {
				t.Fatalf("generate: got %d %v", status, generated)
			}
			status, validated := send("GET", "/api/v1/link-token/"+token, "")
			if status != 200 || validated["valid"] != true || validated["customerId"] != "c é" {
				t.Errorf("validate: got %d %v", status, validated)
			}
			if status, response := send("GET", "/api/v1/link-token/lt_unknown", ""); status != 400 {
				t.Errorf("unknown link token: got %d %v, want 400", status, response)
			}
			if c.requests != nil || c.responses != nil {
				t.Errorf("requests: %v, responses: %v", c.requests, c.responses)
			}
		})
	}
}
