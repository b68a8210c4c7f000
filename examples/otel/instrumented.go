package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/oneloop-ai/oneloop-go/client"
)

const (
	scope        = "github.com/oneloop-ai/oneloop-go/examples/otel"
	operationKey = attribute.Key("oneloop.operation")

	generate = "generateLinkToken"
	validate = "validateLinkToken"
)

var methods = map[string]httpconv.RequestMethodAttr{
	generate: httpconv.RequestMethodPost,
	validate: httpconv.RequestMethodGet,
}

// An instrumented is a client.Client that records a span and a duration for each call
// and each attempt, and counts retries:
//
//	span generateLinkToken       oneloop.client.call.duration
//	├── span POST (503)          http.client.request.duration
//	└── span POST (200)          http.client.request.duration, oneloop.client.retries
//
// It records no secrets. Don't use otelhttp instead: it records the URL of every
// request, which contains the link token. It also does not record error texts,
// because a server chooses part of them. The attribute error.type has the class of
// the error, and the caller has the error itself.
//
// The span of an attempt is created after the attempt, so no trace context is sent to
// Oneloop.
type instrumented struct {
	*client.Client
	address string
	port    int

	tracer   trace.Tracer
	calls    metric.Float64Histogram
	attempts httpconv.ClientRequestDuration
	retries  metric.Int64Counter
}

// newInstrumented calls client.New with opts, WithBaseURL(baseURL) and an observer.
func newInstrumented(tp trace.TracerProvider, mp metric.MeterProvider, sdkKey, baseURL string, opts ...client.Option) (*instrumented, error) {
	c := &instrumented{tracer: tp.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))}
	opts = slices.Concat(opts, []client.Option{client.WithBaseURL(baseURL), client.WithObserver(c.observe)})
	var err error
	if c.Client, err = client.New(sdkKey, opts...); err != nil {
		return nil, err
	}
	u, _ := url.Parse(baseURL) // can't fail: New has parsed it
	c.address = u.Hostname()
	if c.port, err = strconv.Atoi(u.Port()); err != nil {
		c.port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}

	meter := mp.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	var errs [3]error
	c.calls, errs[0] = meter.Float64Histogram("oneloop.client.call.duration",
		metric.WithDescription("Duration of calls, including retries and waits."), metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30))
	c.attempts, errs[1] = httpconv.NewClientRequestDuration(meter)
	c.retries, errs[2] = meter.Int64Counter("oneloop.client.retries",
		metric.WithDescription("Number of attempts other than the first of a call."), metric.WithUnit("{retry}"))
	return c, errors.Join(errs[:]...)
}

// GenerateLinkToken calls client.Client.GenerateLinkToken within a span.
func (c *instrumented) GenerateLinkToken(ctx context.Context, req client.GenerateLinkTokenRequest) (*client.LinkToken, error) {
	ctx, end := c.start(ctx, generate)
	token, err := c.Client.GenerateLinkToken(ctx, req)
	end(err)
	return token, err
}

// ValidateLinkToken calls client.Client.ValidateLinkToken within a span.
func (c *instrumented) ValidateLinkToken(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error) {
	ctx, end := c.start(ctx, validate)
	validation, err := c.Client.ValidateLinkToken(ctx, linkToken)
	end(err)
	return validation, err
}

// start starts the span of a call and returns a function that ends it. The Client
// passes the context to observe, so the spans of attempts are its children.
func (c *instrumented) start(ctx context.Context, operation string) (context.Context, func(error)) {
	began := time.Now()
	attrs := []attribute.KeyValue{operationKey.String(operation)}
	ctx, span := c.tracer.Start(ctx, operation, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...))
	return ctx, func(err error) {
		if err != nil {
			class := semconv.ErrorTypeKey.String(errorType(err))
			attrs = append(attrs, class)
			span.SetAttributes(class)
			span.SetStatus(codes.Error, "")
		}
		c.calls.Record(ctx, time.Since(began).Seconds(), metric.WithAttributes(attrs...))
		span.End()
	}
}

// observe records the span of an attempt that has just ended.
func (c *instrumented) observe(ctx context.Context, a client.Attempt) {
	end := time.Now()
	method := methods[a.Operation]
	attrs := []attribute.KeyValue{operationKey.String(a.Operation)}
	if a.StatusCode != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(a.StatusCode))
	}
	if a.Err != nil {
		attrs = append(attrs, semconv.ErrorTypeKey.String(errorType(a.Err)))
	}

	ctx, span := c.tracer.Start(ctx, string(method),
		trace.WithTimestamp(end.Add(-a.Duration)),
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...),
		trace.WithAttributes(semconv.HTTPRequestMethodKey.String(string(method)),
			semconv.ServerAddress(c.address), semconv.ServerPort(c.port)))
	if a.Err != nil {
		span.SetStatus(codes.Error, "")
	}
	if a.Number > 1 {
		span.SetAttributes(semconv.HTTPRequestResendCount(a.Number - 1))
		c.retries.Add(ctx, 1, metric.WithAttributes(operationKey.String(a.Operation)))
	}
	c.attempts.Record(ctx, a.Duration.Seconds(), method, c.address, c.port, attrs...)
	span.End(trace.WithTimestamp(end))
}

// errorType returns the class of an error, or the status code of a response. If
// several match, the order is that of the SDK's README. semconv.ErrorType would return
// the Go type, which is the same for most errors.
func errorType(err error) string {
	var (
		resp    *client.ErrorResponse
		network net.Error
	)
	isNetwork := errors.As(err, &network)
	switch {
	case errors.Is(err, client.ErrInvalidLinkToken):
		return "invalid_link_token"
	case errors.Is(err, client.ErrInvalidArgument):
		return "invalid_argument"
	case errors.Is(err, client.ErrBadRequest):
		return strconv.Itoa(http.StatusBadRequest)
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &resp):
		return strconv.Itoa(resp.StatusCode)
	case errors.Is(err, client.ErrMalformedResponse):
		return "malformed_response"
	case isNetwork && network.Timeout():
		return "timeout"
	case isNetwork, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection"
	default:
		return semconv.ErrorTypeOther.Value.AsString()
	}
}
