package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/gen"
)

// What the generator makes of the contract, package client has too.
func TestClientHasAllThatIsGenerated(t *testing.T) {
	generated, exported := reflect.TypeFor[*gen.Client](), reflect.TypeFor[*Client]()
	for i := range generated.NumMethod() {
		if name := generated.Method(i).Name; !hasMethod(exported, name) {
			t.Errorf("Client has no method %s", name)
		}
	}
	for wire, own := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[gen.GenerateLinkTokenRequest]():  reflect.TypeFor[GenerateLinkTokenRequest](),
		reflect.TypeFor[gen.GenerateLinkTokenResponse](): reflect.TypeFor[LinkToken](),
		reflect.TypeFor[gen.ValidateLinkTokenResponse](): reflect.TypeFor[LinkTokenValidation](),
	} {
		if got, want := jsonNames(own), jsonNames(wire); !maps.Equal(got, want) {
			t.Errorf("%v has the fields %v, and %v has %v", own, got, wire, want)
		}
	}
}

func hasMethod(t reflect.Type, name string) bool {
	_, ok := t.MethodByName(name)
	return ok
}

// jsonNames returns the names of t's fields, and their names in JSON.
func jsonNames(t reflect.Type) map[string]string {
	names := map[string]string{}
	for _, field := range reflect.VisibleFields(t) {
		names[field.Name], _, _ = strings.Cut(field.Tag.Get("json"), ",")
	}
	return names
}

func TestJitterNeverOverflows(t *testing.T) {
	for _, base := range []time.Duration{1, time.Second, math.MaxInt64 / 2, math.MaxInt64/2 + 1, math.MaxInt64} {
		for _, limit := range []time.Duration{1, time.Second, math.MaxInt64 - 1, math.MaxInt64} {
			for _, n := range []int{0, 1, 2, 62, 63, 64, math.MaxInt32} {
				if got := jitter(base, limit, n); got < 0 || got > limit {
					t.Errorf("jitter(%d, %d, %d) is %d", base, limit, n, got)
				}
			}
		}
	}
}

func TestBudget(t *testing.T) {
	b := newBudget()
	retries := 0
	for b.withdraw(retryCost) {
		retries++
	}
	if retries != 35 {
		t.Errorf("%d retries until it is empty, want 35", retries)
	}
	successes := 0
	for b.units.Load() < budgetSize {
		b.deposit(firstSuccess)
		successes++
	}
	t.Logf("full again after %d successes", successes)
	if successes != 490 {
		t.Errorf("full again after %d successes, want 490", successes)
	}
	if b.deposit(retryCost); b.units.Load() != budgetSize {
		t.Errorf("%d units, want never more than %d", b.units.Load(), budgetSize)
	}
}

func TestBudgetIsSafeForConcurrentUse(t *testing.T) {
	for range 200 {
		b := newBudget()
		var paid atomic.Int64
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for b.withdraw(retryCost) {
					paid.Add(1)
				}
			})
		}
		wg.Wait()
		if paid.Load() != 35 || b.units.Load() != budgetSize-35*retryCost {
			t.Fatalf("%d retries were paid for, and %d units are left", paid.Load(), b.units.Load())
		}
		for range 64 {
			wg.Go(func() { b.deposit(retryCost) })
		}
		wg.Wait()
		if got := b.units.Load(); got != budgetSize {
			t.Fatalf("%d units, want %d", got, budgetSize)
		}
	}
}

func TestBudgetIsSpentToTheLastUnit(t *testing.T) {
	b := new(budget)
	b.deposit(retryCost)
	if !b.withdraw(retryCost) || b.withdraw(1) {
		t.Errorf("%d units are left", b.units.Load())
	}
}

// fakeConn counts how often it is closed.
type fakeConn struct {
	net.Conn
	closed int
}

func (c *fakeConn) Close() error { c.closed++; return nil }

func TestPool(t *testing.T) {
	type dialled struct {
		conn net.Conn
		err  error
		took time.Duration
	}
	synctest.Test(t, func(t *testing.T) {
		// dial dials for an attempt that gets got other connections after 5 ms.
		dial := func(p *pool, got int32) dialled {
			attempt := new(connCount)
			time.AfterFunc(5*time.Millisecond, func() { attempt.got.Add(got) })
			start := time.Now()
			conn, err := p.dialContext(context.WithValue(t.Context(), connCountKey{}, attempt), "tcp", "host:1")
			return dialled{conn, err, time.Since(start)}
		}
		p := newPool(&http.Transport{})
		under := new(fakeConn)
		var dialErr error
		p.dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != connectTimeout {
				t.Error("dialling is not bounded")
			}
			return under, dialErr
		}
		p.attempts.Store(1)
		first := dial(p, 0)
		if first.err != nil || first.took != 0 || p.conns.Load() != 1 {
			t.Errorf("the first dial: %+v, and %d connections", first, p.conns.Load())
		}
		if d := dial(p, 1); d.err != errServed || d.took > 6*time.Millisecond || p.conns.Load() != 1 {
			t.Errorf("a dial that nobody needs: %+v, and %d connections", d, p.conns.Load())
		}
		if d := dial(p, 0); d.err != nil || d.took < dialPatience || d.took > dialPatience+time.Millisecond || p.conns.Load() != 2 {
			t.Errorf("a dial that is needed after all: %+v, and %d connections", d, p.conns.Load())
		}
		_ = first.conn.Close()
		_ = first.conn.Close()
		if p.conns.Load() != 1 || under.closed != 2 {
			t.Errorf("%d connections after closing one, which was closed %d times", p.conns.Load(), under.closed)
		}
		p.attempts.Store(2)
		dialErr = errors.New("refused")
		if d := dial(p, 0); d.err != dialErr || d.took != 0 || p.conns.Load() != 1 {
			t.Errorf("a dial that fails: %+v, and %d connections", d, p.conns.Load())
		}
	})
}

// seedAnswers are answers, good and bad.
func seedAnswers(f *testing.F) {
	for _, body := range []string{
		`{"token":"t","expiresAt":1893456000}`,
		`{"valid":true,"expiresAt":1893456000000,"workspaceId":"w","customerId":"c","externalBillingId":"b"}`,
		`{"valid":false,"expiresAt":1,"workspaceId":"","customerId":""}`,
		`{"error":{"code":12000000,"message":"m"}}`, `{"error":{"code":"E","message":null}}`, `{"error":[]}`,
		`{"expiresAt":9223372036854775808}`, `{"expiresAt":1e400}`, `{"expiresAt":253402300800000}`, `{"expiresAt":-1}`,
		"", "null", "{}", "[]", "{}{}", "<html>", "\xff", "\ufeff{}", `{"token":"\ud800"}`, `{"valid":false,"v\u0061lid":true,"expiresAt":1,"workspaceId":"w","customerId":"c"}`, `{"valid":true,"Valid":false}`,
		`{"valid":true,"expiresAt":1,"workspaceId":"w","customerId":"c","x":{"valid":[false,"valid"]},"y":"valid","z\"":":"}`,
		`{"valid":false,"valid":true,"expiresAt":1,"work\u017fpaceId":"w","customerId":"c"}`,
		strings.Repeat("[", 10_001),
	} {
		f.Add("application/json", []byte(body))
	}
	f.Add("Application/Problem+JSON; charset=utf-8", []byte("{}"))
	f.Add("text/html", []byte("<html>"))
	f.Add(";;;", []byte(""))
}

func FuzzGenerateLinkTokenAnswer(f *testing.F) {
	seedAnswers(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := &result[gen.GenerateLinkTokenResponse, LinkToken]{fields: linkTokenFields, required: 2, convert: newLinkToken}
		if r.parse(http.Header{"Content-Type": {contentType}}, body) != nil {
			return
		}
		if r.value.Token == "" {
			t.Errorf("%q was taken for %#v", body, r.value.Token)
		}
		checkExpiresAt(t, r.value.ExpiresAt)
		checkFields(t, body, linkTokenFields)
	})
}

func FuzzValidateLinkTokenAnswer(f *testing.F) {
	seedAnswers(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := &result[gen.ValidateLinkTokenResponse, LinkTokenValidation]{fields: linkTokenValidationFields, required: 4, convert: newLinkTokenValidation}
		if r.parse(http.Header{"Content-Type": {contentType}}, body) != nil {
			return
		}
		if v := r.value; v.Valid && (v.WorkspaceID == "" || v.CustomerID == "") {
			t.Errorf("%q was taken for %+v", body, *v)
		}
		checkExpiresAt(t, r.value.ExpiresAt)
		checkFields(t, body, linkTokenValidationFields[:4])
	})
}

// checkFields wants the fields to be in the body as encoding/json's own tokens
// have it: once, exactly.
func checkFields(t *testing.T, body []byte, fields []string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	if brace, err := dec.Token(); err != nil || brace != json.Delim('{') {
		t.Fatalf("%q is no object", body)
	}
	seen := map[string]int{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		seen[strings.ToLower(name.(string))]++
		seen[name.(string)]++
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	for _, field := range fields {
		want := 1
		if field == strings.ToLower(field) {
			want = 2 // counted as itself, and in lower case
		}
		if seen[field] != want || seen[strings.ToLower(field)] != want {
			t.Errorf("%q was accepted with %s %d times, %d in any case", body, field, seen[field], seen[strings.ToLower(field)])
		}
	}
}

func checkExpiresAt(t *testing.T, at time.Time) {
	t.Helper()
	if at.Unix() <= 0 || at.Year() > 9999 || at.Location() != time.UTC {
		t.Errorf("expiresAt is %v", at)
	}
	if _, err := at.MarshalJSON(); err != nil {
		t.Error(err)
	}
}

func FuzzErrorAnswer(f *testing.F) {
	seedAnswers(f)
	const secret = "lt_canary_e81d07c6b2f94a35"
	f.Add(secret, []byte(`{"error":{"code":1,"message":"`+secret+`"}}`))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		o := &outcome{status: 400, header: http.Header{"X": {header}}, body: body}
		e := newErrorResponse("operation", o, func(text string) string { return redact(text, secret) })
		switch text := e.Error(); {
		case e.StatusCode != 400 || !e.Is(ErrBadRequest):
			t.Errorf("the status was lost: %+v", e)
		case e.Message == "":
			t.Error("the message is empty")
		case strings.Contains(text, secret) || strings.Contains(e.Header.Get("X"), secret):
			t.Errorf("%q or %q shows the secret", text, e.Header)
		case strings.ContainsAny(text, "\r\n") || !utf8.ValidString(text):
			t.Errorf("%q is not one line of text", text)
		case len(text) > 2*maxErrorMessage:
			t.Errorf("the text has %d bytes", len(text))
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"", "0", "5", "-1", "1.5", "9223372036", "9223372036854775807", "99999999999999999999", "soon",
		"Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT", "Saturday, 01-Jan-00 00:00:05 GMT", "Sat Jan  1 00:00:05 2000",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		d, ok := parseRetryAfter(value)
		if d < 0 || !ok && d != 0 {
			t.Errorf("%q: %v, %t", value, d, ok)
		}
	})
}
