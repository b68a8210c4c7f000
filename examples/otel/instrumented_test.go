package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

var request = client.GenerateLinkTokenRequest{CustomerID: "customer_1", WorkspaceID: "workspace_1"}

// A recorded is an instrumented client with access to what it recorded.
type recorded struct {
	*instrumented
	exporter *tracetest.InMemoryExporter
	reader   *sdkmetric.ManualReader
}

func newRecorded(t testing.TB, sdkKey, baseURL string, transport http.RoundTripper) *recorded {
	t.Helper()
	r := &recorded{exporter: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	var err error
	r.instrumented, err = newInstrumented(
		sdktrace.NewTracerProvider(sdktrace.WithSyncer(r.exporter)),
		sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader)),
		sdkKey, baseURL,
		client.WithHTTPClient(&http.Client{Transport: transport}),
		client.WithRetryPolicy(client.RetryPolicy{BaseDelay: time.Millisecond, MaxDelay: time.Millisecond}),
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// split returns the spans of calls and the spans of attempts, in order.
func (r *recorded) split() (calls, attempts tracetest.SpanStubs) {
	for _, s := range r.exporter.GetSpans() {
		if _, isCall := methods[s.Name]; isCall {
			calls = append(calls, s)
		} else {
			attempts = append(attempts, s)
		}
	}
	return calls, attempts
}

func (r *recorded) metrics(t testing.TB) (rm metricdata.ResourceMetrics) {
	t.Helper()
	if err := r.reader.Collect(context.Background(), &rm); err != nil {
		t.Fatal(err)
	}
	return rm
}

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

func TestErrors(t *testing.T) {
	tests := map[string]struct {
		linkToken string
		faults    []clienttest.Fault
		ended     bool // whether the context has ended
		call      string
		attempts  []string
	}{
		"unknown link token": {
			linkToken: "unknown",
			call:      "400",
			attempts:  []string{"400"},
		},
		"redirect": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Response(302, nil, "")},
			call:      "302",
			attempts:  []string{"302"},
		},
		"400 after a retry": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Status(500)},
			call:      "400",
			attempts:  []string{"500", "400"},
		},
		"connection cut": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Cut(), clienttest.Cut(), clienttest.Cut()},
			call:      "connection",
			attempts:  []string{"connection", "connection", "connection"},
		},
		"attempt timeout": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Silence(), clienttest.Silence(), clienttest.Silence()},
			call:      "timeout",
			attempts:  []string{"timeout", "timeout", "timeout"},
		},
		"malformed": {
			linkToken: "unknown",
			faults:    []clienttest.Fault{clienttest.Response(200, nil, "{}")},
			call:      "malformed_response",
			attempts:  []string{"malformed_response"},
		},
		"canceled": {
			linkToken: "unknown",
			ended:     true,
			call:      "canceled",
		},
		"refused argument": {
			linkToken: "",
			call:      "invalid_argument",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := clienttest.NewAPI()
				api.Queue(test.faults...)
				r := newRecorded(t, clienttest.SDKKey, client.DefaultBaseURL, api)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.ended {
					cancel()
				}
				if _, err := r.ValidateLinkToken(ctx, test.linkToken); err == nil {
					t.Fatal("the call succeeded")
				}
				calls, attempts := r.split()
				if got := classes(t, calls); !slices.Equal(got, []string{test.call}) {
					t.Errorf("call: got error.type %q, want %q", got, test.call)
				}
				if got := classes(t, attempts); !slices.Equal(got, test.attempts) {
					t.Errorf("attempts: got error.type %q, want %q", got, test.attempts)
				}
			})
		})
	}
}

// classes returns the error.type of each span, or "" if it has none. It checks that
// the status of the span agrees.
func classes(t *testing.T, spans tracetest.SpanStubs) (types []string) {
	t.Helper()
	for _, s := range spans {
		set := attribute.NewSet(s.Attributes...)
		class, failed := set.Value("error.type")
		if failed != (s.Status.Code == codes.Error) {
			t.Errorf("%s has status %v and error.type %q", s.Name, s.Status, class.AsString())
		}
		types = append(types, class.AsString())
	}
	return types
}

// TestAttemptError checks that an attempt is an error only if its Err is not nil.
func TestAttemptError(t *testing.T) {
	for name, test := range map[string]struct {
		attempt client.Attempt
		want    string
	}{
		"success":         {client.Attempt{StatusCode: 200}, ""},
		"error status":    {client.Attempt{StatusCode: 500, Err: &client.ErrorResponse{StatusCode: 500}}, "500"},
		"truncated 2xx":   {client.Attempt{StatusCode: 200, Err: io.ErrUnexpectedEOF}, "connection"},
		"any other error": {client.Attempt{Err: errors.New("customer_1 has no luck")}, "_OTHER"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorded(t, clienttest.SDKKey, client.DefaultBaseURL, nil)
			test.attempt.Operation = validate
			r.observe(t.Context(), test.attempt)
			_, attempts := r.split()
			if got := classes(t, attempts); !slices.Equal(got, []string{test.want}) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
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

// leaky is a transport with secrets in its errors.
type leaky struct{}

func (leaky) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, fmt.Errorf("%s %s with %v failed", r.Method, r.URL, r.Header)
}

func TestNoSecrets(t *testing.T) {
	for name, test := range map[string]struct{ key, token string }{
		"usual secrets": {"sdk_canary_1f0c", "lt_canary_7b3e"},
		"short secrets": {"Kq7_Zx9", "Tz9_Wv4"}, // too short for the SDK to redact
	} {
		t.Run(name, func(t *testing.T) {
			echo := `{"error":{"code":1,"message":"` + test.key + ` and ` + test.token + `"}}`
			header := http.Header{"Location": {"/" + test.token}, test.key: {test.token}}
			api := clienttest.NewAPI() // knows neither secret, so all responses are faults
			api.Queue(
				clienttest.Response(200, nil, `{"token":"`+test.token+`","expiresAt":4102444800}`),
				clienttest.Response(200, header, `{"valid":true,"expiresAt":4102444800,"workspaceId":"w","customerId":"c"}`),
				clienttest.Response(400, header, echo),
				clienttest.Response(500, header, echo),
				clienttest.Cut(),
				clienttest.Response(302, header, echo),
				clienttest.Response(200, header, echo),
			)
			r := newRecorded(t, test.key, client.DefaultBaseURL, api)
			token, err := r.GenerateLinkToken(t.Context(), request)
			if err != nil || token.Token != test.token {
				t.Fatalf("got %v, %v; want the canary", token, err)
			}
			if _, err := r.ValidateLinkToken(t.Context(), test.token); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"400 Bad Request", "302 Found", "malformed", "401 Unauthorized"} {
				if _, err := r.ValidateLinkToken(t.Context(), test.token); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want an error with %q", err, want)
				}
			}
			checkNoSecrets(t, r, 6, test.key, test.token)

			r = newRecorded(t, test.key, client.DefaultBaseURL, leaky{})
			if _, err := r.ValidateLinkToken(t.Context(), test.token); err == nil {
				t.Error("the call succeeded")
			}
			checkNoSecrets(t, r, 1, test.key, test.token)
		})
	}
}

// checkNoSecrets exports everything that was recorded, and checks that it contains no
// secrets.
func checkNoSecrets(t *testing.T, r *recorded, wantCalls int, secrets ...string) {
	t.Helper()
	var b bytes.Buffer
	spans, err := stdouttrace.New(stdouttrace.WithWriter(&b))
	if err != nil {
		t.Fatal(err)
	}
	if err := spans.ExportSpans(t.Context(), r.exporter.GetSpans().Snapshots()); err != nil {
		t.Fatal(err)
	}
	metrics, err := stdoutmetric.New(stdoutmetric.WithWriter(&b))
	if err != nil {
		t.Fatal(err)
	}
	rm := r.metrics(t)
	if err := metrics.Export(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	if calls, _ := r.split(); len(calls) != wantCalls {
		t.Errorf("got %d call spans, want %d", len(calls), wantCalls)
	}
	for _, want := range []string{`"http.client.request.duration"`, `"error.type"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the export does not contain %s", want)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(b.String(), secret) {
			t.Errorf("the export contains %q:\n%s", secret, &b)
		}
	}
}
