package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestSuccessfulResponses(t *testing.T) {
	t.Parallel()
	sec := time.Unix(1893456000, 0).UTC()
	whole := client.LinkTokenValidation{Valid: true, ExpiresAt: sec, WorkspaceID: "w1", CustomerID: "c1", ExternalBillingID: "b1"}
	for name, test := range map[string]struct {
		op          operation
		contentType string
		body        string
		want        any
	}{
		"generate":                {generate, "application/json", generated, client.LinkToken{Token: testToken, ExpiresAt: sec}},
		"generate, milliseconds":  {generate, "application/json", `{"token":"t","expiresAt":1893456000123}`, client.LinkToken{Token: "t", ExpiresAt: time.UnixMilli(1893456000123).UTC()}},
		"generate, last second":   {generate, "application/json", `{"token":"t","expiresAt":99999999999}`, client.LinkToken{Token: "t", ExpiresAt: time.Unix(99999999999, 0).UTC()}},
		"generate, first milli":   {generate, "application/json", `{"token":"t","expiresAt":100000000000}`, client.LinkToken{Token: "t", ExpiresAt: time.UnixMilli(100000000000).UTC()}},
		"generate, 1 s":           {generate, "application/json", `{"token":"t","expiresAt":1}`, client.LinkToken{Token: "t", ExpiresAt: time.Unix(1, 0).UTC()}},
		"generate, end of 9999":   {generate, "application/json", `{"token":"t","expiresAt":253402300799999}`, client.LinkToken{Token: "t", ExpiresAt: time.UnixMilli(253402300799999).UTC()}},
		"validate":                {validate, "application/json", validated, whole},
		"charset":                 {validate, "application/json; charset=utf-8", validated, whole},
		"unusual parameters":      {validate, `application/json;charset="UTF-8"; x=1`, validated, whole},
		"uppercase":               {validate, "Application/JSON", validated, whole},
		"+json suffix":            {validate, "application/vnd.oneloop.v1+json", validated, whole},
		"problem+json, uppercase": {validate, "APPLICATION/PROBLEM+JSON; charset=utf-8", validated, whole},
		"extra fields": {validate, "application/json",
			`{"scopes":["a",{"b":null}],"valid":true,"expiresAt":1893456000,"workspaceId":"w1","customerId":"c1","externalBillingId":"b1","error":null}`, whole},
		"white space": {validate, "application/json", "\r\n\t " + strings.ReplaceAll(validated, ",", " ,\n") + " \n", whole},
		"field names elsewhere": {validate, "application/json",
			`{"x":{"valid":false,"VALID":[{"valid":1}]},"y":"valid","customerId":"c1","externalBillingId":"b1","valid" :true,"expiresAt":1893456000,"workspaceId":"w1","z\":":"\\"}`, whole},
		"null billing id":      {validate, "application/json", strings.Replace(validated, `"b1"`, "null", 1), client.LinkTokenValidation{Valid: true, ExpiresAt: sec, WorkspaceID: "w1", CustomerID: "c1"}},
		"not valid, empty ids": {validate, "application/json", `{"valid":false,"expiresAt":1893456000,"workspaceId":"","customerId":""}`, client.LinkTokenValidation{ExpiresAt: sec}},
		"not valid, with ids":  {validate, "application/json", `{"valid":false,"expiresAt":1893456000,"workspaceId":"w1","customerId":"c1"}`, client.LinkTokenValidation{ExpiresAt: sec, WorkspaceID: "w1", CustomerID: "c1"}},
		"uppercase names":      {validate, "application/json", `{"VALID":true,"EXPIRESAT":1893456000,"WORKSPACEID":"w1","CUSTOMERID":"c1","EXTERNALBILLINGID":"b1"}`, whole},
		"uppercase token":      {generate, "application/json", `{"TOKEN":"t","ExpiresAT":1893456000}`, client.LinkToken{Token: "t", ExpiresAt: sec}},
		"escaped names":        {validate, "application/json", strings.Replace(validated, "valid", `v\u0061lid`, 1), whole},
		"longest token":        {generate, "application/json", `{"token":"` + strings.Repeat("t", 2048) + `","expiresAt":1893456000}`, client.LinkToken{Token: strings.Repeat("t", 2048), ExpiresAt: sec}},
		"all characters":       {generate, "application/json", `{"token":"` + linkTokenCharacters + `","expiresAt":1893456000}`, client.LinkToken{Token: linkTokenCharacters, ExpiresAt: sec}},
		"escaped strings":      {validate, "application/json", strings.NewReplacer(`"w1"`, `"\u0077\u0031"`, `"c1"`, `"\ud83d\ude00\n"`).Replace(validated), client.LinkTokenValidation{Valid: true, ExpiresAt: sec, WorkspaceID: "w1", CustomerID: "😀\n", ExternalBillingID: "b1"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, via(responds(200, test.body, "Content-Type", test.contentType)))
			got, err := test.op.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}

// In the contract, 200 is the only successful status.
func TestOther2xx(t *testing.T) {
	t.Parallel()
	for _, status := range []int{201, 202, 203, 204, 206, 299} {
		for _, op := range operations {
			t.Run(fmt.Sprint(op.name, "/", status), func(t *testing.T) {
				malformed(t, op, "", responds(status, op.ok))
			})
		}
	}
}

func TestExportedTypesAsJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, value := range map[string]any{
		`{"customerId":"c","workspaceId":"w"}`:             client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w"},
		`{"token":"t","expiresAt":"2030-01-02T03:04:05Z"}`: &client.LinkToken{Token: "t", ExpiresAt: at},
		`{"valid":true,"expiresAt":"2030-01-02T03:04:05Z","workspaceId":"w","customerId":"c","externalBillingId":"b"}`: client.LinkTokenValidation{Valid: true, ExpiresAt: at, WorkspaceID: "w", CustomerID: "c", ExternalBillingID: "b"},
		`{"valid":false,"expiresAt":"2030-01-02T03:04:05Z","workspaceId":"","customerId":""}`:                          client.LinkTokenValidation{ExpiresAt: at},
		`{"LinkToken":{"token":"` + testToken + `","expiresAt":"2030-01-02T03:04:05Z"}}`:                               struct{ LinkToken client.LinkToken }{client.LinkToken{Token: testToken, ExpiresAt: at}},
	} {
		got, err := json.Marshal(value)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

// Test transports may leave out fields that net/http always sets.
func TestIncompleteResponses(t *testing.T) {
	t.Parallel()
	neither := func(err error) bool { return strings.Contains(err.Error(), "neither a response nor an error") }
	for name, test := range map[string]struct {
		resp  *http.Response
		check func(error) bool
	}{
		"no body, no header": {&http.Response{StatusCode: 500}, is(client.ErrServer)},
		"no body, 200":       {&http.Response{StatusCode: 200}, is(client.ErrMalformedResponse)},
		"nothing":            {nil, neither},
		"status 0":           {&http.Response{Body: http.NoBody}, neither},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, quick, via(roundTripFunc(func(*http.Request) (*http.Response, error) {
				if test.resp == nil {
					return nil, nil
				}
				resp := *test.resp
				return &resp, nil
			})))
			got, err := validate.call(t.Context(), c)
			if got != nil || err == nil || !test.check(err) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
