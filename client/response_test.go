package client_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestSuccessfulResponses(t *testing.T) {
	t.Parallel()
	sec := time.Unix(1893456000, 0).UTC()
	whole := client.LinkTokenValidation{Valid: true, ExpiresAt: sec, WorkspaceID: "w1", CustomerID: "c1", ExternalBillingID: "b1"}
	withoutBillingID := whole
	withoutBillingID.ExternalBillingID = ""
	token := func(at time.Time) client.LinkToken { return client.LinkToken{Token: "t", ExpiresAt: at.UTC()} }
	type row struct {
		op          operation
		contentType string
		body        string
		want        any
	}
	rows := map[string]row{
		"generate":                {generate, "application/json", generated, client.LinkToken{Token: testToken, ExpiresAt: sec}},
		"generate, milliseconds":  {generate, "application/json", `{"token":"t","expiresAt":1893456000123}`, token(time.UnixMilli(1893456000123))},
		"generate, last second":   {generate, "application/json", `{"token":"t","expiresAt":99999999999}`, token(time.Unix(99999999999, 0))},
		"generate, first milli":   {generate, "application/json", `{"token":"t","expiresAt":100000000000}`, token(time.UnixMilli(100000000000))},
		"generate, 1 s":           {generate, "application/json", `{"token":"t","expiresAt":1}`, token(time.Unix(1, 0))},
		"generate, end of 9999":   {generate, "application/json", `{"token":"t","expiresAt":253402300799999}`, token(time.UnixMilli(253402300799999))},
		"uppercase token":         {generate, "application/json", `{"TOKEN":"t","ExpiresAT":1893456000}`, token(sec)},
		"validate":                {validate, "application/json", validated, whole},
		"charset":                 {validate, "application/json; charset=utf-8", validated, whole},
		"unusual parameters":      {validate, `application/json;charset="UTF-8"; x=1`, validated, whole},
		"uppercase":               {validate, "Application/JSON", validated, whole},
		"+json suffix":            {validate, "application/vnd.oneloop.v1+json", validated, whole},
		"problem+json, uppercase": {validate, "APPLICATION/PROBLEM+JSON; charset=utf-8", validated, whole},
		"extra fields":            {validate, "application/json", `{"scopes":["a",{"b":null}],"error":null,` + validated[1:], whole},
		"white space":             {validate, "application/json", "\r\n\t " + strings.ReplaceAll(validated, ",", " ,\n") + " \n", whole},
		"field names elsewhere":   {validate, "application/json", `{"x":{"valid":false,"VALID":[{"valid":1}]},"y":"valid","z\":":"\\",` + validated[1:], whole},
		"uppercase names":         {validate, "application/json", `{"VALID":true,"EXPIRESAT":1893456000,"WORKSPACEID":"w1","CUSTOMERID":"c1","EXTERNALBILLINGID":"b1"}`, whole},
		"escaped names":           {validate, "application/json", strings.Replace(validated, "valid", `v\u0061lid`, 1), whole},
		"no billing id":           {validate, "application/json", strings.Replace(validated, `,"externalBillingId":"b1"`, "", 1), withoutBillingID},
		"null billing id":         {validate, "application/json", strings.Replace(validated, `"b1"`, "null", 1), withoutBillingID},
		"not valid, empty ids":    {validate, "application/json", `{"valid":false,"expiresAt":1893456000,"workspaceId":"","customerId":""}`, client.LinkTokenValidation{ExpiresAt: sec}},
		"not valid, with ids":     {validate, "application/json", `{"valid":false,"expiresAt":1893456000,"workspaceId":"w1","customerId":"c1"}`, client.LinkTokenValidation{ExpiresAt: sec, WorkspaceID: "w1", CustomerID: "c1"}},
		"largest":                 {validate, "application/json", validated + strings.Repeat(" ", 1<<20-len(validated)), whole},
	}
	for encoded, id := range map[string]string{ // identifiers that are unusual, but well-formed
		`\u0063\u0031`:       "c1",
		`acme\ud83d\ude00\n`: "acme😀\n",
		`acme\uD83D\uDE00 x`: "acme😀 x",
		`\\ud800`:            `\ud800`,
		`\\\\udfff`:          `\\udfff`,
		"zoë\u2028\ufffe":    "zoë\u2028\ufffe",
		`a\u0000b`:           "a\x00b",
		`acme\/\"\\`:         `acme/"\`,
	} {
		want := whole
		want.CustomerID = id
		rows["customer "+encoded] = row{validate, "application/json", strings.Replace(validated, "c1", encoded, 1), want}
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, via(responds(200, row.body, "Content-Type", row.contentType)))
			if got, err := row.op.call(t.Context(), c); err != nil || got != row.want {
				t.Errorf("got %#v, %v, want %#v", got, err, row.want)
			}
		})
	}
}

func TestExportedTypesAsJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, value := range map[string]any{
		`{"customerId":"c","workspaceId":"w"}`:                                                                         client.GenerateLinkTokenRequest{CustomerID: "c", WorkspaceID: "w"},
		`{"token":"t","expiresAt":"2030-01-02T03:04:05Z"}`:                                                             &client.LinkToken{Token: "t", ExpiresAt: at},
		`{"LinkToken":{"token":"t","expiresAt":"2030-01-02T03:04:05Z"}}`:                                               struct{ LinkToken client.LinkToken }{client.LinkToken{Token: "t", ExpiresAt: at}},
		`{"valid":false,"expiresAt":"2030-01-02T03:04:05Z","workspaceId":"","customerId":""}`:                          client.LinkTokenValidation{ExpiresAt: at},
		`{"valid":true,"expiresAt":"2030-01-02T03:04:05Z","workspaceId":"w","customerId":"c","externalBillingId":"b"}`: client.LinkTokenValidation{Valid: true, ExpiresAt: at, WorkspaceID: "w", CustomerID: "c", ExternalBillingID: "b"},
	} {
		got, err := json.Marshal(value)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}

// A countingReader counts the bytes that are read.
type countingReader struct {
	io.Reader
	read int
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.read += n
	return n, err
}

func TestAtMost1MiBIsRead(t *testing.T) {
	t.Parallel()
	const length = 4 << 20
	for _, status := range []int{200, 400, 500, 503} {
		for _, announced := range []int64{-1, length} {
			for _, op := range operations {
				t.Run(fmt.Sprintf("%d/length %d/%s", status, announced, op.name), func(t *testing.T) {
					body := &countingReader{Reader: strings.NewReader(strings.Repeat(" ", length))}
					s := newScript(func(*http.Request) (*http.Response, error) {
						resp := response(status, "")
						resp.Body, resp.ContentLength = io.NopCloser(body), announced
						return resp, nil
					})
					got, err := op.call(t.Context(), newClient(t, via(s)))
					if got != nil || s.attempts() != 1 {
						t.Errorf("got %v after %d attempts, want no result after 1", got, s.attempts())
					}
					if status == 200 {
						if !errors.Is(err, client.ErrMalformedResponse) || !strings.Contains(err.Error(), "1 MiB") {
							t.Errorf("got %v, want ErrMalformedResponse", err)
						}
					} else if e := asResponse(t, err); e.StatusCode != status || len(e.Body) != 64<<10 {
						t.Errorf("got %v with %d bytes of body, want 64 KiB", e, len(e.Body))
					}
					if body.read > 1<<20+64<<10 {
						t.Errorf("%d bytes were read, want little more than 1 MiB", body.read)
					}
				})
			}
		}
	}
}

// "identity" means that the body is not encoded (RFC 9110, section 12.5.3).
func TestIdentityEncoding(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"identity", "Identity"} {
		for _, op := range operations {
			if _, err := op.call(t.Context(), newClient(t, via(responds(200, op.ok, "Content-Encoding", encoding)))); err != nil {
				t.Errorf("%s, %s: %v", op.name, encoding, err)
			}
		}
	}
}

// The Client's own transport reads at most 64 KiB of a header.
func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	for length, ok := range map[int]bool{48 << 10: true, 80 << 10: false} {
		server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("x", length))
			respondOK(w, r)
		}))
		if _, err := validate.call(t.Context(), newClient(t, client.WithBaseURL(server.URL), quick)); (err == nil) != ok {
			t.Errorf("a header of %d bytes: got error %v, want one: %t", length, err, !ok)
		}
	}
}

func gzipped(tb testing.TB, text string) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// Requests accept no compression. If a server compresses its response anyway, the
// Client must not decompress it: an endless sequence of empty gzip members
// decompresses to nothing, so a limit on decompressed bytes would never be reached.
func TestEndlessCompressedResponse(t *testing.T) {
	t.Parallel()
	const limit = 1<<20 + 8<<20 // the documented limit, and what socket buffers may hold
	whole := gzipped(t, validated+strings.Repeat(" ", 4<<20))
	member := bytes.Repeat(gzipped(t, ""), 1000)
	for _, status := range []int{200, 400} {
		for name, endless := range map[string]bool{"whole": false, "endless": true} {
			t.Run(fmt.Sprint(status, "/", name), func(t *testing.T) {
				withEachTransport(t, func(t *testing.T, transport client.Option) {
					var sent atomic.Int64
					gone := make(chan struct{})
					base := rawServer(t, func(conn net.Conn, _, _ int) bool {
						defer close(gone)
						_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n", status)
						if !endless {
							_, _ = conn.Write(whole)
							return false
						}
						for {
							n, err := conn.Write(member)
							if sent.Add(int64(n)); err != nil {
								return false
							}
						}
					})
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					defer cancel()
					_, err := validate.call(ctx, newClient(t, transport, client.WithBaseURL(base)))
					if status == 200 {
						if !errors.Is(err, client.ErrMalformedResponse) {
							t.Errorf("got %v, want ErrMalformedResponse", err)
						}
					} else if e := asResponse(t, err); e.StatusCode != status || !endless && !bytes.Equal(e.Body, whole) {
						t.Errorf("got %v with a body of %d bytes, want the %d bytes that were sent", e, len(e.Body), len(whole))
					}
					<-gone // the Client has closed the connection
					if sent.Load() > limit {
						t.Errorf("the server could send %d MiB, want at most %d", sent.Load()>>20, limit>>20)
					}
				})
			})
		}
	}
}
