package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func encode(attrs ...attribute.KeyValue) string {
	set := attribute.NewSet(attrs...)
	return set.Encoded(attribute.DefaultEncoder())
}

func TestRetriedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := clienttest.NewAPI()
		api.Queue(
			clienttest.StatusRetryAfter(http.StatusServiceUnavailable, 2*time.Second),
			clienttest.Delay(20*time.Millisecond),
		)
		r := newRecorded(t, clienttest.SDKKey, client.DefaultBaseURL, api)
		began := time.Now()
		ctx, handler := r.tracer.Start(t.Context(), "handler")
		if _, err := r.GenerateLinkToken(ctx, request); err != nil {
			t.Fatal(err)
		}

		calls, attempts := r.split()
		if len(calls) != 1 || len(attempts) != 2 {
			t.Fatalf("got %d call spans and %d attempt spans, want 1 and 2", len(calls), len(attempts))
		}
		call := calls[0]
		if call.Parent.SpanID() != handler.SpanContext().SpanID() {
			t.Error("the call's span is not a child of the caller's")
		}
		const server = "oneloop.operation=generateLinkToken,server.address=prod.oneloop.ai,server.port=443"
		for i, test := range []struct {
			span       tracetest.SpanStub
			name       string
			attrs      string
			status     codes.Code
			start, end time.Duration // since began
		}{
			{call, "generateLinkToken", "oneloop.operation=generateLinkToken", codes.Unset, 0, 2020 * time.Millisecond},
			{attempts[0], "POST", "error.type=503,http.request.method=POST,http.response.status_code=503," + server,
				codes.Error, 0, 0},
			{attempts[1], "POST", "http.request.method=POST,http.request.resend_count=1,http.response.status_code=200," + server,
				codes.Unset, 2 * time.Second, 2020 * time.Millisecond},
		} {
			s := test.span
			if s.Name != test.name || s.SpanKind != trace.SpanKindClient {
				t.Errorf("span %d: got name %s and kind %s, want %s and client", i, s.Name, s.SpanKind, test.name)
			}
			if got := encode(s.Attributes...); got != test.attrs {
				t.Errorf("span %d: got attributes\n%s, want\n%s", i, got, test.attrs)
			}
			if want := (sdktrace.Status{Code: test.status}); s.Status != want {
				t.Errorf("span %d: got status %v, want %v", i, s.Status, want)
			}
			if start, end := s.StartTime.Sub(began), s.EndTime.Sub(began); start != test.start || end != test.end {
				t.Errorf("span %d: got %s to %s, want %s to %s", i, start, end, test.start, test.end)
			}
			if i > 0 && s.Parent.SpanID() != call.SpanContext.SpanID() {
				t.Errorf("span %d: not a child of the call's span", i)
			}
		}
	})
}

func TestOverSocket(t *testing.T) {
	api := clienttest.NewAPI()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) > 1 {
			api.ServeHTTP(w, r)
		} else if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
	}))
	defer server.Close()
	r := newRecorded(t, clienttest.SDKKey, server.URL, nil)
	defer r.CloseIdleConnections()
	if _, err := r.GenerateLinkToken(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	_, attempts := r.split()
	if got, want := classes(t, attempts), []string{"connection", ""}; !slices.Equal(got, want) {
		t.Errorf("got the attempts as %q, want %q", got, want)
	}
	for _, s := range attempts {
		set := attribute.NewSet(s.Attributes...)
		address, _ := set.Value("server.address")
		port, _ := set.Value("server.port")
		if got := fmt.Sprintf("http://%s:%d", address.AsString(), port.AsInt64()); got != server.URL {
			t.Errorf("got the server as %s, want %s", got, server.URL)
		}
	}
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := clienttest.NewAPI()
		api.Queue(
			clienttest.StatusRetryAfter(http.StatusServiceUnavailable, 2*time.Second),
			clienttest.Delay(20*time.Millisecond),
			clienttest.Delay(30*time.Millisecond),
		)
		r := newRecorded(t, clienttest.SDKKey, client.DefaultBaseURL, api)
		token, err := r.GenerateLinkToken(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := r.ValidateLinkToken(t.Context(), token.Token); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.ValidateLinkToken(t.Context(), "unknown"); err == nil {
			t.Fatal("validating an unknown link token succeeded")
		}

		got := map[string]string{}
		for _, sm := range r.metrics(t).ScopeMetrics {
			for _, m := range sm.Metrics {
				switch data := m.Data.(type) {
				case metricdata.Histogram[float64]:
					for _, p := range data.DataPoints {
						got[m.Name+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = fmt.Sprintf("%d in %g %s", p.Count, p.Sum, m.Unit)
						if last := p.Bounds[len(p.Bounds)-1]; last > 60 {
							t.Errorf("%s: the last bound is %g, which is too large for seconds", m.Name, last)
						}
					}
				case metricdata.Sum[int64]:
					for _, p := range data.DataPoints {
						got[m.Name+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = fmt.Sprintf("%d %s", p.Value, m.Unit)
					}
				}
			}
		}
		const (
			post = "http.request.method=POST,http.response.status_code=%d,oneloop.operation=generateLinkToken,server.address=prod.oneloop.ai,server.port=443"
			get  = "http.request.method=GET,http.response.status_code=%d,oneloop.operation=validateLinkToken,server.address=prod.oneloop.ai,server.port=443"
		)
		want := map[string]string{
			"oneloop.client.call.duration oneloop.operation=generateLinkToken":                "1 in 2.02 s",
			"oneloop.client.call.duration oneloop.operation=validateLinkToken":                "2 in 0.03 s",
			"oneloop.client.call.duration error.type=400,oneloop.operation=validateLinkToken": "1 in 0 s",
			"http.client.request.duration error.type=503," + fmt.Sprintf(post, 503):           "1 in 0 s",
			"http.client.request.duration " + fmt.Sprintf(post, 200):                          "1 in 0.02 s",
			"http.client.request.duration " + fmt.Sprintf(get, 200):                           "2 in 0.03 s",
			"http.client.request.duration error.type=400," + fmt.Sprintf(get, 400):            "1 in 0 s",
			"oneloop.client.retries oneloop.operation=generateLinkToken":                      "1 {retry}",
		}
		if !maps.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", lines(got), lines(want))
		}
	})
}

func lines(m map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%s: %s\n", k, m[k])
	}
	return b.String()
}
