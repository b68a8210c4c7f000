package client_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// malformed checks that the call fails with ErrMalformedResponse after one attempt,
// and that the error text contains want. It returns the error.
func malformed(t *testing.T, op operation, want string, response roundTripFunc) error {
	t.Helper()
	s := newScript(response)
	got, err := op.call(t.Context(), newClient(t, via(s)))
	if got != nil || !errors.Is(err, client.ErrMalformedResponse) || as[*client.ErrorResponse](err) {
		t.Fatalf("got %v, %v, want ErrMalformedResponse", got, err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not contain %q", err, want)
	}
	if s.attempts() != 1 {
		t.Errorf("%d attempts, want 1", s.attempts())
	}
	return err
}

func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	const (
		contentType = "content type"
		missing     = "is missing, null or duplicated"
		notJSON     = "the body is not"
	)
	for name, test := range map[string]struct{ contentType, body, want string }{
		"HTML":                {"text/html; charset=utf-8", "<html>login</html>", contentType},
		"HTML sent as JSON":   {"application/json", "<html>login</html>", notJSON},
		"no content type":     {"", validated, contentType},
		"text/plain":          {"text/plain", validated, contentType},
		"application/jsonp":   {"application/jsonp", validated, contentType},
		"text/html+json":      {"text/html+json", validated, contentType},
		"broken content type": {"application/", validated, contentType},
		"empty":               {"application/json", "", notJSON},
		"white space":         {"application/json", " \n", notJSON},
		"null":                {"application/json", "null", missing},
		"true":                {"application/json", "true", notJSON},
		"number":              {"application/json", "1", notJSON},
		"string":              {"application/json", `"valid"`, notJSON},
		"{}":                  {"application/json", "{}", missing},
		"array":               {"application/json", "[" + validated + "]", notJSON},
		"empty array":         {"application/json", "[]", notJSON},
		"an error's body":     {"application/json", `{"error":{"code":401,"message":"no"}}`, missing},
		"wrapped in data":     {"application/json", `{"data":` + validated + `}`, missing},
		"trailing garbage":    {"application/json", validated + "x", notJSON},
		"trailing comma":      {"application/json", strings.TrimSuffix(validated, "}") + ",}", notJSON},
		"two objects":         {"application/json", validated + validated, notJSON},
		"JSON lines":          {"application/json", generated + "\n" + generated, notJSON},
		"empty JSON lines":    {"application/json", "{}\n{}", notJSON},
		"cut short":           {"application/json", validated[:len(validated)-1], notJSON},
		"cut in a string":     {"application/json", generated[:14], notJSON},
		"byte order mark":     {"application/json", "\ufeff" + validated, notJSON},
		"not UTF-8":           {"application/json", strings.Replace(validated, "w1", "w\xff", 1), "not UTF-8"},
		"UTF-16":              {"application/json", "{\x00\"\x00v\x00", notJSON},
		"deeply nested":       {"application/json", strings.Repeat("[", 100_000), notJSON},
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
	types := map[string]string{"valid": "a boolean", "expiresAt": "an integer"}
	for _, op := range operations {
		for _, field := range required[op.name] {
			absent := field + " is missing, null or duplicated"
			wrongType := field + " must be " + cmp.Or(types[field], "a string")
			bodies := map[string]string{
				"missing":             withField(t, op.ok, field, ""),
				"null":                withField(t, op.ok, field, "null"),
				"null, then a value":  strings.Replace(op.ok, "{", `{"`+field+`" : null,`, 1),
				"a value, then null":  strings.TrimSuffix(op.ok, "}") + `,"` + field + `":null}`,
				"twice":               strings.Replace(op.ok, "{", `{"`+field+`":`+valueOf(t, op.ok, field)+`,`, 1),
				"twice, in uppercase": strings.Replace(op.ok, "{", `{"`+strings.ToUpper(field)+`":`+valueOf(t, op.ok, field)+`,`, 1),
				"twice, both uppercase": strings.Replace(strings.Replace(op.ok, `"`+field, `"`+strings.ToUpper(field), 1),
					"{", `{"`+strings.ToUpper(field)+`":`+valueOf(t, op.ok, field)+`,`, 1),
				"null, in uppercase": withField(t, strings.Replace(op.ok, `"`+field, `"`+strings.ToUpper(field), 1), strings.ToUpper(field), "null"),
			}
			for name, body := range bodies {
				t.Run(op.name+"/"+field+" "+name, func(t *testing.T) { malformed(t, op, absent, responds(200, body)) })
			}
			values := map[string]string{"array": "[1]", "object": `{"value":1}`}
			switch field {
			case "valid":
				values["string"], values["number"] = `"true"`, "1"
			case "expiresAt":
				maps.Copy(values, map[string]string{
					"fraction": "1893456000.5", "exponent": "1.893456e9", "beyond int64": "9223372036854775808", "far beyond": "1e400",
					"boolean": "true", "string": `"1893456000"`, "date": `"2030-01-01T00:00:00Z"`,
				})
			default:
				values["number"], values["boolean"] = "1", "false"
			}
			for name, literal := range values {
				t.Run(op.name+"/"+field+" "+name, func(t *testing.T) {
					malformed(t, op, wrongType, responds(200, withField(t, op.ok, field, literal)))
				})
			}
		}
		const notPositive, tooLate = "expiresAt must be greater than 0", "expiresAt is after the year 9999"
		for name, test := range map[string]struct{ literal, want string }{
			"zero":          {"0", notPositive},
			"negative":      {"-1893456000", notPositive},
			"year 10000":    {"253402300800000", tooLate},
			"largest int64": {"9223372036854775807", tooLate},
		} {
			t.Run(op.name+"/expiresAt "+name, func(t *testing.T) {
				err := malformed(t, op, test.want, responds(200, withField(t, op.ok, "expiresAt", test.literal)))
				if want := "oneloop: " + op.name + ": malformed response: " + test.want; err.Error() != want {
					t.Errorf("got %q, want %q", err, want)
				}
			})
		}
	}
}

// withField returns body, a JSON object, with the value of field replaced by
// literal. If literal is empty, it removes the field.
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

// valueOf returns the value of a field of body as JSON.
func valueOf(t *testing.T, body, field string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		t.Fatal(err)
	}
	return string(fields[field])
}

func TestMalformedObjects(t *testing.T) {
	t.Parallel()
	const empty = "valid is true, but workspaceId or customerId is empty"
	for name, test := range map[string]struct {
		op         operation
		body, want string
	}{
		"escaped name":               {validate, strings.Replace(validated, "{", `{"v\u0061lid":false,`, 1), "valid is missing, null or duplicated"},
		"another spelling of s":      {validate, strings.Replace(validated, "{", `{"work\u017fpaceId":"w2",`, 1), "workspaceId is missing, null or duplicated"},
		"billing id twice":           {validate, strings.Replace(validated, "{", `{"ExternalBillingID":"b2",`, 1), "externalBillingId is missing, null or duplicated"},
		"billing id of another type": {validate, strings.Replace(validated, `"b1"`, "1", 1), "externalBillingId must be a string"},
		"valid without workspace":    {validate, `{"valid":true,"expiresAt":1,"workspaceId":"","customerId":"c"}`, empty},
		"valid without customer":     {validate, `{"valid":true,"expiresAt":1,"workspaceId":"w","customerId":""}`, empty},
	} {
		t.Run(name, func(t *testing.T) {
			err := malformed(t, test.op, test.want, responds(200, test.body))
			if want := "oneloop: " + test.op.name + ": malformed response: " + test.want; err.Error() != want {
				t.Errorf("got %q, want %q", err, want)
			}
		})
	}
}

// encoding/json decodes every lone surrogate to U+FFFD, so different identifiers
// would become the same one.
func TestLoneSurrogates(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{
		"high surrogate":            `acme\ud800`,
		"low surrogate":             `acme\udfff`,
		"alone":                     `\udc00`,
		"at the start":              `\ud83dacme`,
		"two high surrogates":       `acme\ud83d\ud83d`,
		"wrong order":               `acme\ude00\ud83d`,
		"before another escape":     `acme\ud83d\n`,
		"uppercase":                 `acme\uD800`,
		"U+FFFD":                    "acme\ufffd",
		"U+FFFD escaped":            `acme\ufffd`,
		"U+FFFD escaped, uppercase": `acme\uFFFD`,
	} {
		for field, op := range map[string]operation{"token": generate, "workspaceId": validate, "customerId": validate, "externalBillingId": validate} {
			t.Run(name+"/"+field, func(t *testing.T) {
				malformed(t, op, field, responds(200, strings.Replace(op.ok, valueOf(t, op.ok, field), `"`+id+`"`, 1)))
			})
		}
	}
}

// In the contract, 200 is the only successful status. Requests accept no
// compression, so an encoded body is not decoded.
func TestOther2xxAndEncodings(t *testing.T) {
	t.Parallel()
	steps := map[string]roundTripFunc{ // the names contain what the error text must
		"content encoding, gzipped body": responds(200, string(gzipped(t, either)), "Content-Encoding", "gzip"),
	}
	for _, lines := range [][]string{{"", "br"}, {"identity", "gzip"}, {"gzip", "identity"}} {
		steps["content encoding, in two lines "+strings.Join(lines, "+")] = func(*http.Request) (*http.Response, error) {
			resp := response(200, either)
			resp.Header["Content-Encoding"] = lines
			return resp, nil
		}
	}
	for _, encoding := range []string{"gzip", "GZIP", "br", "deflate", "gzip, br", "identity, gzip", "x-unknown"} {
		steps["content encoding, "+encoding] = responds(200, either, "Content-Encoding", encoding)
	}
	for _, status := range []int{201, 202, 203, 204, 205, 206, 207, 208, 226, 299} {
		steps["status, "+strconv.Itoa(status)] = responds(status, either)
	}
	for name, step := range steps {
		for _, op := range operations {
			want, _, _ := strings.Cut(name, ",")
			t.Run(name+"/"+op.name, func(t *testing.T) { malformed(t, op, want, step) })
		}
	}
}
