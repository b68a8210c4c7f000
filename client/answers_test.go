package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestGoodAnswers(t *testing.T) {
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
		"odd parameter":           {validate, `application/json;charset="UTF-8"; x=1`, validated, whole},
		"other case":              {validate, "Application/JSON", validated, whole},
		"+json suffix":            {validate, "application/vnd.oneloop.v1+json", validated, whole},
		"problem+json, uppercase": {validate, "APPLICATION/PROBLEM+JSON; charset=utf-8", validated, whole},
		"extra fields": {validate, "application/json",
			`{"scopes":["a",{"b":null}],"valid":true,"expiresAt":1893456000,"workspaceId":"w1","customerId":"c1","externalBillingId":"b1","error":null}`, whole},
		"white space": {validate, "application/json", "\r\n\t " + strings.ReplaceAll(validated, ",", " ,\n") + " \n", whole},
		"names of fields elsewhere": {validate, "application/json",
			`{"x":{"valid":false,"VALID":[{"valid":1}]},"y":"valid","customerId":"c1","externalBillingId":"b1","valid" :true,"expiresAt":1893456000,"workspaceId":"w1","z\":":"\\"}`, whole},
		"null billing id":       {validate, "application/json", strings.Replace(validated, `"b1"`, "null", 1), client.LinkTokenValidation{Valid: true, ExpiresAt: sec, WorkspaceID: "w1", CustomerID: "c1"}},
		"invalid, empty ids":    {validate, "application/json", `{"valid":false,"expiresAt":1893456000,"workspaceId":"","customerId":""}`, client.LinkTokenValidation{ExpiresAt: sec}},
		"invalid, with its ids": {validate, "application/json", `{"valid":false,"expiresAt":1893456000,"workspaceId":"w1","customerId":"c1"}`, client.LinkTokenValidation{ExpiresAt: sec, WorkspaceID: "w1", CustomerID: "c1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(responds(200, test.body, "Content-Type", test.contentType))
			got, err := test.op.call(t.Context(), newClient(t, via(s)))
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}

func TestOther2xxIsReadLike200(t *testing.T) {
	for _, status := range []int{201, 202, 203, 206, 299} {
		s := newScript(responds(status, validated))
		if _, err := validate.call(t.Context(), newClient(t, via(s))); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
	s := newScript(responds(204, ""))
	if _, err := validate.call(t.Context(), newClient(t, via(s))); !errors.Is(err, client.ErrMalformedResponse) {
		t.Errorf("204: got %v, want ErrMalformedResponse", err)
	}
}

// malformed checks that op takes none of steps for an answer.
func malformed(t *testing.T, op operation, want string, steps ...roundTripFunc) {
	t.Helper()
	s := newScript(steps...)
	got, err := op.call(t.Context(), newClient(t, via(s)))
	if got != nil || !errors.Is(err, client.ErrMalformedResponse) {
		t.Fatalf("got %v, %v, want ErrMalformedResponse", got, err)
	}
	if !strings.Contains(err.Error(), want) {
		t.Errorf("%q does not say %q", err, want)
	}
	if s.attempts() != 1 {
		t.Errorf("%d attempts, want one", s.attempts())
	}
}

func TestMalformedBodies(t *testing.T) {
	for name, test := range map[string]struct{ contentType, body, want string }{
		"HTML":                 {"text/html; charset=utf-8", "<html>login</html>", "content type"},
		"HTML called JSON":     {"application/json", "<html>login</html>", "not one JSON value"},
		"no content type":      {"", validated, "content type"},
		"text/plain":           {"text/plain", validated, "content type"},
		"a lookalike":          {"application/jsonp", validated, "content type"},
		"a suffix lookalike":   {"text/html+json", validated, "content type"},
		"broken content type":  {"application/", validated, "content type"},
		"empty":                {"application/json", "", "not one JSON value"},
		"white space":          {"application/json", " \n", "not one JSON value"},
		"null":                 {"application/json", "null", "missing or null"},
		"true":                 {"application/json", "true", "not a JSON object"},
		"number":               {"application/json", "1", "not a JSON object"},
		"string":               {"application/json", `"valid"`, "not a JSON object"},
		"{}":                   {"application/json", "{}", "missing or null"},
		"array":                {"application/json", "[" + validated + "]", "not a JSON object"},
		"empty array":          {"application/json", "[]", "not a JSON object"},
		"the error shape":      {"application/json", `{"error":{"code":401,"message":"no"}}`, "missing or null"},
		"wrapped in data":      {"application/json", `{"data":` + validated + `}`, "missing or null"},
		"trailing garbage":     {"application/json", validated + "x", "not one JSON value"},
		"trailing comma":       {"application/json", strings.TrimSuffix(validated, "}") + ",}", "not one JSON value"},
		"two objects":          {"application/json", validated + validated, "not one JSON value"},
		"two lines of objects": {"application/json", generated + "\n" + generated, "not one JSON value"},
		"cut short":            {"application/json", validated[:len(validated)-1], "not one JSON value"},
		"cut in a string":      {"application/json", generated[:14], "not one JSON value"},
		"byte order mark":      {"application/json", "\ufeff" + validated, "not one JSON value"},
		"not UTF-8":            {"application/json", strings.Replace(validated, "w1", "w\xff", 1), "not UTF-8"},
		"UTF-16":               {"application/json", "{\x00\"\x00v\x00", "not one JSON value"},
		"JSON lines of errors": {"application/json", "{}\n{}", "not one JSON value"},
		"deeply nested":        {"application/json", strings.Repeat("[", 100_000), "not one JSON value"},
	} {
		for _, op := range operations {
			t.Run(op.name+"/"+name, func(t *testing.T) {
				malformed(t, op, test.want, responds(200, test.body, "Content-Type", test.contentType))
			})
		}
	}
}

func TestMalformedFields(t *testing.T) {
	required := map[string][]string{
		"generateLinkToken": {"token", "expiresAt"},
		"validateLinkToken": {"valid", "expiresAt", "workspaceId", "customerId"},
	}
	for _, op := range operations {
		for _, field := range required[op.name] {
			bad := map[string]any{
				"null":  nil,
				"array": []int{1},
				"object": map[string]any{
					"value": 1,
				},
			}
			if field == "valid" {
				bad["string"], bad["number"] = "true", 1
			} else if field == "expiresAt" {
				for name, literal := range map[string]string{
					"zero": "0", "negative": "-1893456000", "fraction": "1893456000.5", "exponent": "1.893456e9",
					"beyond int64": "9223372036854775808", "far beyond": "1e400", "boolean": "true", "string": `"1893456000"`,
					"date": `"2030-01-01T00:00:00Z"`, "year 10000": "253402300800000", "largest int64": "9223372036854775807",
				} {
					bad[name] = json.RawMessage(literal)
				}
			} else {
				bad["number"], bad["boolean"] = 1, false
			}
			with := func(value any, present bool) string {
				var fields map[string]any
				if err := json.Unmarshal([]byte(op.ok), &fields); err != nil {
					t.Fatal(err)
				}
				if fields[field] = value; !present {
					delete(fields, field)
				}
				body, err := json.Marshal(fields)
				if err != nil {
					t.Fatal(err)
				}
				return string(body)
			}
			t.Run(op.name+"/"+field+" missing", func(t *testing.T) {
				malformed(t, op, field+" is missing", responds(200, with(nil, false)))
			})
			t.Run(op.name+"/"+field+" in another case", func(t *testing.T) {
				malformed(t, op, field+" is in another spelling", responds(200, strings.Replace(op.ok, `"`+field, `"`+strings.ToUpper(field), 1)))
			})
			t.Run(op.name+"/"+field+" twice", func(t *testing.T) {
				malformed(t, op, field+" is there twice", responds(200, strings.Replace(op.ok, "{", `{"`+field+`" : null,`, 1)))
			})
			for name, value := range bad {
				t.Run(op.name+"/"+field+" "+name, func(t *testing.T) {
					malformed(t, op, field, responds(200, with(value, true)))
				})
			}
		}
	}
	t.Run("escaped name", func(t *testing.T) {
		malformed(t, validate, "valid is there twice", responds(200, strings.Replace(validated, "{", `{"v\u0061lid":false,`, 1)))
	})
	t.Run("billing id twice", func(t *testing.T) {
		malformed(t, validate, "externalBillingId is in another spelling", responds(200, strings.Replace(validated, "{", `{"ExternalBillingID":"b2",`, 1)))
	})
	t.Run("empty token", func(t *testing.T) {
		malformed(t, generate, "token is empty", responds(200, `{"token":"","expiresAt":1}`))
	})
	t.Run("valid without workspace", func(t *testing.T) {
		malformed(t, validate, "workspaceId is empty", responds(200, `{"valid":true,"expiresAt":1,"workspaceId":"","customerId":"c"}`))
	})
	t.Run("valid without customer", func(t *testing.T) {
		malformed(t, validate, "customerId is empty", responds(200, `{"valid":true,"expiresAt":1,"workspaceId":"w","customerId":""}`))
	})
	t.Run("billing id of the wrong type", func(t *testing.T) {
		malformed(t, validate, "externalBillingId", responds(200, strings.Replace(validated, `"b1"`, "1", 1)))
	})
}

func TestErrorAnswers(t *testing.T) {
	const documented = `{"error":{"code":12000000,"message":"no such thing"}}`
	for name, test := range map[string]struct {
		body        string
		contentType string
		code        float64
		message     string // "": the status text
	}{
		"the documented shape": {documented, "application/json", 12000000, "no such thing"},
		"without content type": {documented, "", 12000000, "no such thing"},
		"code with a fraction": {`{"error":{"code":4.5,"message":"m"}}`, "application/json", 4.5, "m"},
		"code is a string":     {`{"error":{"code":"E1","message":"m"}}`, "application/json", 0, "m"},
		"message is a number":  {`{"error":{"code":7,"message":1}}`, "application/json", 7, ""},
		"error is a string":    {`{"error":"no"}`, "application/json", 0, ""},
		"error is null":        {`{"error":null}`, "application/json", 0, ""},
		"another shape":        {`{"message":"no","statusCode":400}`, "application/json", 0, ""},
		"array":                {`[1]`, "application/json", 0, ""},
		"HTML":                 {"<html>502</html>", "text/html", 0, ""},
		"nothing":              {"", "", 0, ""},
		"cut short":            {documented[:20], "application/json", 0, ""},
		"not UTF-8":            {"\xff\xfe", "application/json", 0, ""},
	} {
		for _, status := range []int{300, 304, 400, 401, 403, 404, 409, 418, 422, 429, 500, 501, 502, 503, 505, 599, 600, 999} {
			t.Run(fmt.Sprint(status, "/", name), func(t *testing.T) {
				s := newScript(responds(status, test.body, "Content-Type", test.contentType, "X-Request-Id", "r1"))
				got, err := validate.call(t.Context(), newClient(t, via(s), client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1})))
				if got != nil {
					t.Fatalf("got an answer: %v", got)
				}
				e := asResponse(t, err)
				message := test.message
				if message == "" {
					message = http.StatusText(status)
				}
				if e.Operation != "validateLinkToken" || e.StatusCode != status || e.Code != test.code || e.Message != message ||
					e.Attempts != 1 || e.Header.Get("X-Request-Id") != "r1" || string(e.Body) != test.body || e.RetryAfter != 0 {
					t.Errorf("got %+v with code %v, message %q, header %v, body %q", e, e.Code, e.Message, e.Header, e.Body)
				}
				for sentinel, matches := range map[error]bool{
					client.ErrBadRequest:   status == 400,
					client.ErrUnauthorized: status == 401,
					client.ErrForbidden:    status == 403,
					client.ErrRateLimited:  status == 429,
					client.ErrServer:       status >= 500 && status <= 599,
				} {
					if errors.Is(err, sentinel) != matches {
						t.Errorf("errors.Is(err, %v) is %t", sentinel, !matches)
					}
				}
				if errors.Is(err, client.ErrMalformedResponse) || errors.Is(err, client.ErrInvalidArgument) {
					t.Error("it matches an error that it is not")
				}
			})
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, e := range map[string]*client.ErrorResponse{
		"oneloop: generateLinkToken: 401 Unauthorized: invalid SDK key (code 401)": {Operation: "generateLinkToken", StatusCode: 401, Code: 401, Message: "invalid SDK key"},
		"oneloop: generateLinkToken: 400 Bad Request: m (code 12000000)":           {Operation: "generateLinkToken", StatusCode: 400, Code: 12000000, Message: "m"},
		"oneloop: generateLinkToken: 400 Bad Request: m (code 0.25)":               {Operation: "generateLinkToken", StatusCode: 400, Code: 0.25, Message: "m"},
		"oneloop: validateLinkToken: 502 Bad Gateway":                              {Operation: "validateLinkToken", StatusCode: 502, Message: "Bad Gateway"},
		"oneloop: validateLinkToken: 599":                                          {Operation: "validateLinkToken", StatusCode: 599},
		"oneloop: validateLinkToken: 500 Internal Server Error: two  lines":        {Operation: "validateLinkToken", StatusCode: 500, Message: "two\r\nlines"},
		"oneloop: 429 Too Many Requests":                                           {StatusCode: 429},
		"<nil>":                                                                    nil,
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	long := (&client.ErrorResponse{StatusCode: 500, Message: strings.Repeat("é", 1<<19)}).Error()
	if len(long) > 2<<10 || strings.Contains(long, "\ufffd") {
		t.Errorf("a message of 1 MiB makes a text of %d bytes", len(long))
	}
	var none *client.ErrorResponse
	if none.Is(client.ErrServer) || fmt.Sprint(none) != "<nil>" {
		t.Error("a nil *ErrorResponse is not safe to use")
	}
}

func TestErrorBodyIsKeptTo64KiB(t *testing.T) {
	s := newScript(responds(400, strings.Repeat("x", 100_000)))
	_, err := validate.call(t.Context(), newClient(t, via(s)))
	if got := len(asResponse(t, err).Body); got != 64<<10 {
		t.Errorf("%d bytes are kept", got)
	}
}

// counting counts what was read of it.
type counting struct {
	io.Reader
	n *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func TestOversizeAnswers(t *testing.T) {
	const size = 100 << 20
	spaces := strings.Repeat(" ", 1<<20)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range size >> 20 {
		_, _ = io.WriteString(z, spaces)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	endless := func() io.Reader { return io.LimitReader(roundReader{}, size) }

	for name, send := range map[string]func(http.ResponseWriter){
		"chunked": func(w http.ResponseWriter) { _, _ = io.Copy(w, endless()) },
		"with length": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", strconv.Itoa(size))
			_, _ = io.Copy(w, endless())
		},
		"gzip bomb": func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		},
	} {
		for _, status := range []int{200, 400, 500, 503} {
			for _, op := range operations {
				t.Run(fmt.Sprintf("%s/%d/%s", op.name, status, name), func(t *testing.T) {
					var requests, read atomic.Int64
					server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						requests.Add(1)
						w.Header().Set("Content-Type", "application/json")
						ww := &statusFirst{ResponseWriter: w, status: status}
						send(ww)
					}))
					defer server.Close()
					transport := http.DefaultTransport.(*http.Transport).Clone()
					defer transport.CloseIdleConnections()
					c := newClient(t, via(roundTripFunc(func(req *http.Request) (*http.Response, error) {
						resp, err := transport.RoundTrip(req)
						if err == nil {
							body := resp.Body
							resp.Body = struct {
								io.Reader
								io.Closer
							}{counting{body, &read}, body}
						}
						return resp, err
					})), client.WithBaseURL(server.URL), quick)
					got, err := op.call(t.Context(), c)
					if got != nil {
						t.Fatal("got an answer")
					}
					if status == 200 {
						if !errors.Is(err, client.ErrMalformedResponse) || !strings.Contains(err.Error(), "1 MiB") {
							t.Errorf("got %v, want ErrMalformedResponse", err)
						}
					} else if e := asResponse(t, err); e.StatusCode != status || e.Attempts != 1 {
						t.Errorf("got %v after %d attempts", e, e.Attempts)
					} else if len(e.Body) != 64<<10 {
						t.Errorf("%d bytes of the body are kept", len(e.Body))
					}
					if requests.Load() != 1 {
						t.Errorf("the server saw %d requests, want one", requests.Load())
					}
					if read.Load() > 1<<20+64<<10 {
						t.Errorf("%d bytes were read", read.Load())
					}
				})
			}
		}
	}
}

// statusFirst sends its status before the first byte.
type statusFirst struct {
	http.ResponseWriter
	status int
	sent   bool
}

func (w *statusFirst) Write(p []byte) (int, error) {
	if !w.sent {
		w.sent = true
		w.WriteHeader(w.status)
	}
	return w.ResponseWriter.Write(p)
}

type roundReader struct{}

func (roundReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestLargestAnswerIsRead(t *testing.T) {
	body := validated + strings.Repeat(" ", 1<<20-len(validated))
	for _, length := range []int64{-1, int64(len(body))} {
		resp := response(200, body)
		resp.ContentLength = length
		s := newScript(func(*http.Request) (*http.Response, error) { return resp, nil })
		if _, err := validate.call(t.Context(), newClient(t, via(s))); err != nil {
			t.Errorf("content length %d: %v", length, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	var location string
	var status int
	var requests atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewTLSServer(handler)
	defer secure.Close()

	for name, to := range map[string]string{
		"same host":              "/api/v1/link-token/other",
		"another host":           other.URL + "/",
		"https to http":          plain.URL + "/",
		"no location":            "",
		"location doesn't parse": "http://[::1",
		"bad escape":             "/%zz",
	} {
		for _, status = range []int{301, 302, 303, 307, 308} {
			for _, server := range []*httptest.Server{plain, secure} {
				for _, op := range operations {
					t.Run(fmt.Sprintf("%s/%d/%s/%s", op.name, status, name, server.URL[:5]), func(t *testing.T) {
						location = to
						requests.Store(0)
						hc := *server.Client()
						hc.CheckRedirect = func(*http.Request, []*http.Request) error { return nil }
						c, err := client.New(testKey, client.WithBaseURL(server.URL), client.WithHTTPClient(&hc))
						if err != nil {
							t.Fatal(err)
						}
						_, err = op.call(t.Context(), c)
						if e := asResponse(t, err); e.StatusCode != status || e.Attempts != 1 {
							t.Errorf("got %v after %d attempts", e, e.Attempts)
						}
						if requests.Load() != 1 || elsewhere.Load() != 0 {
							t.Errorf("%d requests, and %d elsewhere", requests.Load(), elsewhere.Load())
						}
					})
				}
			}
		}
	}
}

func TestExportedTypesCarryTheContractsNames(t *testing.T) {
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

// A transport made for tests may leave out what net/http always sets.
func TestCarelessTransports(t *testing.T) {
	for name, test := range map[string]struct {
		resp  *http.Response
		check func(error) bool
	}{
		"no body, no header": {&http.Response{StatusCode: 500}, func(err error) bool { return errors.Is(err, client.ErrServer) }},
		"no body, 200":       {&http.Response{StatusCode: 200}, func(err error) bool { return errors.Is(err, client.ErrMalformedResponse) }},
		"nothing":            {nil, func(err error) bool { return strings.Contains(err.Error(), "neither a response nor an error") }},
		"status 0":           {&http.Response{Body: http.NoBody}, func(err error) bool { return strings.Contains(err.Error(), "neither a response nor an error") }},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, via(roundTripFunc(func(*http.Request) (*http.Response, error) {
				if test.resp == nil {
					return nil, nil
				}
				resp := *test.resp
				return &resp, nil
			})), quick)
			got, err := c.ValidateLinkToken(context.Background(), testToken)
			if got != nil || err == nil || !test.check(err) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
