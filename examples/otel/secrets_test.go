package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/exporters/stdout/stdoutmetric"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

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
