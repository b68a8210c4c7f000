package client

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
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
	b := newBudget()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 1000 {
				if b.withdraw(retryCost) {
					b.deposit(retryCost)
				}
			}
		})
	}
	wg.Wait()
	if got := b.units.Load(); got != budgetSize {
		t.Errorf("%d units, want %d", got, budgetSize)
	}
}

// seedAnswers are answers, good and bad.
func seedAnswers(f *testing.F) {
	for _, body := range []string{
		`{"token":"t","expiresAt":1893456000}`,
		`{"valid":true,"expiresAt":1893456000000,"workspaceId":"w","customerId":"c","externalBillingId":"b"}`,
		`{"valid":false,"expiresAt":1,"workspaceId":"","customerId":""}`,
		`{"error":{"code":12000000,"message":"m"}}`, `{"error":{"code":"E","message":null}}`, `{"error":[]}`,
		`{"expiresAt":9223372036854775808}`, `{"expiresAt":1e400}`, `{"expiresAt":253402300800000}`, `{"expiresAt":-1}`,
		"", "null", "{}", "[]", "{}{}", "<html>", "\xff", "\ufeff{}", `{"token":"\ud800"}`, `{"valid":true,"Valid":false}`,
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
		var wire gen.GenerateLinkTokenResponse
		if decode(http.Header{"Content-Type": {contentType}}, body, &wire, nil) != nil {
			return
		}
		token, err := newLinkToken(&wire)
		if err != nil {
			return
		}
		if token.Token == "" || !json.Valid(body) {
			t.Errorf("%q was taken for %+v", body, *token)
		}
		checkExpiresAt(t, token.ExpiresAt)
	})
}

func FuzzValidateLinkTokenAnswer(f *testing.F) {
	seedAnswers(f)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		var wire gen.ValidateLinkTokenResponse
		if decode(http.Header{"Content-Type": {contentType}}, body, &wire, nil) != nil {
			return
		}
		v, err := newLinkTokenValidation(&wire)
		if err != nil {
			return
		}
		if v.Valid && (v.WorkspaceID == "" || v.CustomerID == "") || !json.Valid(body) {
			t.Errorf("%q was taken for %+v", body, *v)
		}
		checkExpiresAt(t, v.ExpiresAt)
	})
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
