package contract

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func TestCalls(t *testing.T) {
	for name, text := range map[string]string{
		"plain":           "customer_1",
		"unicode":         "Zoë 客户 🔑",
		"percent":         "100%2F%",
		"spaces":          " a b ",
		"plus":            "a+b",
		"question mark":   "a?b=c",
		"number sign":     "a#b",
		"path delimiters": "a;b,c:d@e&f=g$h",
		"JSON and HTML":   `"<a>'{}[]`,
	} {
		for _, baseURL := range []string{client.DefaultBaseURL, "https://gw.example:8443/one/loop", "http://localhost/%C3%A9/"} {
			t.Run(name+" "+baseURL, func(t *testing.T) {
				c := newChecked(t, baseURL)
				sdk := c.client(clienttest.SDKKey, baseURL)
				for _, billing := range []string{"", "b" + text} {
					token, err := sdk.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{
						CustomerID: text, WorkspaceID: "w" + text, ExternalBillingID: billing})
					if err != nil {
						t.Fatal(err)
					}
					want := client.LinkTokenValidation{Valid: true, ExpiresAt: token.ExpiresAt,
						CustomerID: text, WorkspaceID: "w" + text, ExternalBillingID: billing}
					if got, err := sdk.ValidateLinkToken(t.Context(), token.Token); err != nil || *got != want {
						t.Errorf("got %+v, %v, want %+v", got, err, want)
					}
				}
			})
		}
	}
}

func TestUnknownLinkTokens(t *testing.T) {
	for _, token := range []string{"lt_unknown", "...", "-._~", "!$&'()*+,;=:@", "https:", "a+b=c&d", strings.Repeat("(", 2048)} {
		for _, baseURL := range []string{client.DefaultBaseURL, "https://gw.example:8443/one/loop", "http://localhost/%C3%A9/"} {
			c := newChecked(t, baseURL)
			_, err := c.client(clienttest.SDKKey, baseURL).ValidateLinkToken(t.Context(), token)
			if !errors.Is(err, client.ErrBadRequest) {
				t.Errorf("%.20s: got %v, want ErrBadRequest", token, err)
			}
			if got := c.api.Requests()[0].LinkToken; got != token {
				t.Errorf("the link token arrived as %q, want %q", got, token)
			}
		}
	}
}

func TestInvalidTokens(t *testing.T) {
	c := newChecked(t, client.DefaultBaseURL)
	sdk := c.client(clienttest.SDKKey, client.DefaultBaseURL)
	for name, end := range map[string]func(linkToken string){
		"expired": func(string) { c.api.Advance(time.Hour) },
		"revoked": func(linkToken string) { c.api.Revoke(linkToken) },
	} {
		token, err := sdk.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w"})
		if err != nil {
			t.Fatal(err)
		}
		end(token.Token)
		if got, err := sdk.ValidateLinkToken(t.Context(), token.Token); err != nil || got.Valid {
			t.Errorf("%s: got %+v, %v, want an invalid token", name, got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	const key = clienttest.SDKKey
	for name, test := range map[string]struct {
		sdkKey string
		fault  clienttest.Fault
		status int
	}{
		"wrong key":        {"sdk_wrong", clienttest.Delay(0), 401},
		"400":              {key, clienttest.Status(400), 400},
		"401":              {key, clienttest.Status(401), 401},
		"403":              {key, clienttest.Status(403), 403},
		"403, Retry-After": {key, clienttest.StatusRetryAfter(403, time.Minute), 403},
		"429":              {key, clienttest.Status(429), 429},
		"429, Retry-After": {key, clienttest.StatusRetryAfter(429, time.Minute), 429},
		"503":              {key, clienttest.Status(503), 503},
		"503, Retry-After": {key, clienttest.StatusRetryAfter(503, time.Minute), 503},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecked(t, client.DefaultBaseURL)
			sdk := c.client(test.sdkKey, client.DefaultBaseURL)
			c.api.Queue(test.fault, test.fault)
			_, generateErr := sdk.GenerateLinkToken(t.Context(), client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w"})
			_, validateErr := sdk.ValidateLinkToken(t.Context(), "token")
			for _, err := range []error{generateErr, validateErr} {
				var response *client.ErrorResponse
				if !errors.As(err, &response) || response.StatusCode != test.status || response.Code != float64(test.status) {
					t.Errorf("got %v, want an *ErrorResponse with status and code %d", err, test.status)
				}
			}
		})
	}
}

const (
	asJSON    = "application/json"
	bearerKey = "Bearer " + clienttest.SDKKey
	goodBody  = `{"customerId":"c","workspaceId":"w"}`
)

// post sends a generateLinkToken request that package client would not send, and
// returns the status of the response.
func (c *checked) post(body, contentType, authorization string) int {
	c.t.Helper()
	req := httptest.NewRequestWithContext(c.t.Context(), http.MethodPost, client.DefaultBaseURL+"/api/v1/link-token", strings.NewReader(body))
	req.Header = http.Header{"Content-Type": {contentType}, "Authorization": {authorization}}
	resp, err := c.RoundTrip(req)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode
}

// TestBadRequests also checks that the test fails if a request breaks the contract.
func TestBadRequests(t *testing.T) {
	for name, test := range map[string]struct {
		body, contentType, authorization string

		broken string // part of the error from the check
		status int    // of the fake's response
	}{
		"no key":           {goodBody, asJSON, "", "no bearer key", 401},
		"empty key":        {goodBody, asJSON, "Bearer ", "no bearer key", 401},
		"basic":            {goodBody, asJSON, "Basic YTpi", "no bearer key", 401},
		"not JSON":         {"customerId=c", asJSON, bearerKey, "failed to decode", 400},
		"form":             {goodBody, "application/x-www-form-urlencoded", bearerKey, "Content-Type", 400},
		"array":            {"[]", asJSON, bearerKey, "must be an object", 400},
		"null":             {"null", asJSON, bearerKey, "not nullable", 400},
		"no customer":      {`{"workspaceId":"w"}`, asJSON, bearerKey, `"customerId" is missing`, 400},
		"no workspace":     {`{"customerId":"c"}`, asJSON, bearerKey, `"workspaceId" is missing`, 400},
		"null customer":    {`{"customerId":null,"workspaceId":"w"}`, asJSON, bearerKey, "not nullable", 400},
		"number":           {`{"customerId":7,"workspaceId":"w"}`, asJSON, bearerKey, "must be a string", 400},
		"undeclared field": {`{"customerId":"c","workspaceId":"w","x":1}`, asJSON, bearerKey, `"x" is unsupported`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecked(t, client.DefaultBaseURL)
			if got := c.post(test.body, test.contentType, test.authorization); got != test.status {
				t.Errorf("got status %d, want %d", got, test.status)
			}
			if c.requests == nil || !strings.Contains(c.requests.Error(), test.broken) {
				t.Errorf("the check of the request returned %v, want %q", c.requests, test.broken)
			}
			if c.responses != nil {
				t.Error(c.responses)
			}
		})
	}
}

// TestBadResponses checks that the test fails if a response breaks the contract.
func TestBadResponses(t *testing.T) {
	for name, test := range map[string]struct {
		status       int
		header       http.Header
		body, broken string
	}{
		"no token":            {200, nil, `{"expiresAt":1}`, `"token" is missing`},
		"undeclared field":    {200, nil, `{"token":"t","expiresAt":1,"x":1}`, `"x" is unsupported`},
		"HTML":                {200, http.Header{"Content-Type": {"text/html"}}, `{}`, "Content-Type"},
		"undeclared success":  {204, nil, ``, "no JSON response with status 204"},
		"undeclared redirect": {301, nil, ``, "no JSON response with status 301"},
		"undeclared error":    {404, nil, `{"error":{"code":1,"message":"m"}}`, "no JSON response with status 404"},
		"undeclared detail":   {403, nil, `{"error":{"code":1,"message":"m","x":1}}`, `"x" is unsupported`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChecked(t, client.DefaultBaseURL)
			c.api.Queue(clienttest.Response(test.status, test.header, test.body))
			c.post(goodBody, asJSON, bearerKey)
			if c.requests != nil {
				t.Error(c.requests)
			}
			if c.responses == nil || !strings.Contains(c.responses.Error(), test.broken) {
				t.Errorf("the check of the response returned %v, want %q", c.responses, test.broken)
			}
		})
	}
}
