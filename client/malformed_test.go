package client_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// malformed checks that the call fails at once with ErrMalformedResponse, and
// that the error text contains want.
func malformed(t *testing.T, op operation, want string, response roundTripFunc) {
	t.Helper()
	s := newScript(response)
	got, err := op.call(t.Context(), newClient(t, via(s)))
	if got != nil || !errors.Is(err, client.ErrMalformedResponse) {
		t.Fatalf("got %v, %v, want ErrMalformedResponse", got, err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not contain %q", err, want)
	}
	if s.attempts() != 1 {
		t.Errorf("%d attempts, want 1", s.attempts())
	}
}

func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	const (
		contentType = "content type"
		missing     = "missing or null"
		notOne      = "not one JSON value"
		notObject   = "not a JSON object"
	)
	for name, test := range map[string]struct{ contentType, body, want string }{
		"HTML":                {"text/html; charset=utf-8", "<html>login</html>", contentType},
		"HTML sent as JSON":   {"application/json", "<html>login</html>", notOne},
		"no content type":     {"", validated, contentType},
		"text/plain":          {"text/plain", validated, contentType},
		"application/jsonp":   {"application/jsonp", validated, contentType},
		"text/html+json":      {"text/html+json", validated, contentType},
		"broken content type": {"application/", validated, contentType},
		"empty":               {"application/json", "", notOne},
		"white space":         {"application/json", " \n", notOne},
		"null":                {"application/json", "null", missing},
		"true":                {"application/json", "true", notObject},
		"number":              {"application/json", "1", notObject},
		"string":              {"application/json", `"valid"`, notObject},
		"{}":                  {"application/json", "{}", missing},
		"array":               {"application/json", "[" + validated + "]", notObject},
		"empty array":         {"application/json", "[]", notObject},
		"an error's body":     {"application/json", `{"error":{"code":401,"message":"no"}}`, missing},
		"wrapped in data":     {"application/json", `{"data":` + validated + `}`, missing},
		"trailing garbage":    {"application/json", validated + "x", notOne},
		"trailing comma":      {"application/json", strings.TrimSuffix(validated, "}") + ",}", notOne},
		"two objects":         {"application/json", validated + validated, notOne},
		"JSON lines":          {"application/json", generated + "\n" + generated, notOne},
		"empty JSON lines":    {"application/json", "{}\n{}", notOne},
		"cut short":           {"application/json", validated[:len(validated)-1], notOne},
		"cut in a string":     {"application/json", generated[:14], notOne},
		"byte order mark":     {"application/json", "\ufeff" + validated, notOne},
		"not UTF-8":           {"application/json", strings.Replace(validated, "w1", "w\xff", 1), "not UTF-8"},
		"UTF-16":              {"application/json", "{\x00\"\x00v\x00", notOne},
		"deeply nested":       {"application/json", strings.Repeat("[", 100_000), notOne},
	} {
		for _, op := range operations {
			t.Run(op.name+"/"+name, func(t *testing.T) {
				malformed(t, op, test.want, responds(200, test.body, "Content-Type", test.contentType))
			})
		}
	}
}

// required lists the fields that the contract requires in a response.
var required = map[string][]string{
	"generateLinkToken": {"token", "expiresAt"},
	"validateLinkToken": {"valid", "expiresAt", "workspaceId", "customerId"},
}

func TestMalformedFields(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		for _, field := range required[op.name] {
			values := map[string]string{"null": "null", "array": "[1]", "object": `{"value":1}`}
			switch field {
			case "valid":
				values["string"], values["number"] = `"true"`, "1"
			case "expiresAt":
				for name, literal := range map[string]string{
					"zero": "0", "negative": "-1893456000", "fraction": "1893456000.5", "exponent": "1.893456e9",
					"beyond int64": "9223372036854775808", "far beyond": "1e400", "boolean": "true", "string": `"1893456000"`,
					"date": `"2030-01-01T00:00:00Z"`, "year 10000": "253402300800000", "largest int64": "9223372036854775807",
				} {
					values[name] = literal
				}
			default:
				values["number"], values["boolean"] = "1", "false"
			}
			t.Run(op.name+"/"+field+" missing", func(t *testing.T) {
				malformed(t, op, field+" is missing", responds(200, withField(t, op.ok, field, "")))
			})
			t.Run(op.name+"/"+field+" in another case", func(t *testing.T) {
				malformed(t, op, field+" is in another spelling", responds(200, strings.Replace(op.ok, `"`+field, `"`+strings.ToUpper(field), 1)))
			})
			t.Run(op.name+"/"+field+" twice", func(t *testing.T) {
				malformed(t, op, field+" is there twice", responds(200, strings.Replace(op.ok, "{", `{"`+field+`" : null,`, 1)))
			})
			for name, literal := range values {
				t.Run(op.name+"/"+field+" "+name, func(t *testing.T) {
					malformed(t, op, field, responds(200, withField(t, op.ok, field, literal)))
				})
			}
		}
	}
}

// withField returns the object body with another value of field, or without field if
// literal is empty.
func withField(t *testing.T, body, field, literal string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		t.Fatal(err)
	}
	if fields[field] = json.RawMessage(literal); literal == "" {
		delete(fields, field)
	}
	changed, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(changed)
}

func TestMalformedObjects(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		op         operation
		body, want string
	}{
		"escaped name":               {validate, strings.Replace(validated, "{", `{"v\u0061lid":false,`, 1), "valid is there twice"},
		"billing id twice":           {validate, strings.Replace(validated, "{", `{"ExternalBillingID":"b2",`, 1), "externalBillingId is in another spelling"},
		"billing id of another type": {validate, strings.Replace(validated, `"b1"`, "1", 1), "externalBillingId"},
		"empty token":                {generate, `{"token":"","expiresAt":1}`, "token is empty"},
		"valid without workspace":    {validate, `{"valid":true,"expiresAt":1,"workspaceId":"","customerId":"c"}`, "workspaceId is empty"},
		"valid without customer":     {validate, `{"valid":true,"expiresAt":1,"workspaceId":"w","customerId":""}`, "customerId is empty"},
	} {
		t.Run(name, func(t *testing.T) { malformed(t, test.op, test.want, responds(200, test.body)) })
	}
}
