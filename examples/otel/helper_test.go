package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/oneloop-ai/oneloop-go/client"
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
		client.WithRetryPolicy(client.RetryPolicy{BaseDelay: time.Millisecond, MaxDelay: time.Millisecond, AttemptTimeout: time.Second}),
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
