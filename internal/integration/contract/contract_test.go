package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// load reads the contract through a symbolic link. For a file outside of the module,
// go test would not notice changes and would reuse cached results.
func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableMultiError()); err != nil {
		t.Fatalf("openapi.yaml is not valid: %v", err)
	}
	return doc
}

// checked is an http.RoundTripper that passes requests to the fake, and checks
// requests and responses against the contract.
type checked struct {
	t         *testing.T
	api       *clienttest.API
	router    routers.Router
	requests  error // how requests break the contract
	responses error // how responses break it
}

// newChecked returns a checked for a server at baseURL. It is stricter than the
// contract: objects may not have undeclared fields, so that a misspelled optional
// field is an error. It also checks undeclared error statuses like declared ones.
func newChecked(t *testing.T, baseURL string) *checked {
	t.Helper()
	doc := load(t)
	doc.Servers = openapi3.Servers{{URL: baseURL}}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for _, status := range []int{429, 503} {
				if op.Responses.Status(status) == nil {
					op.Responses.Set(strconv.Itoa(status), op.Responses.Status(400))
				}
			}
			closeObjects(requestSchema(op))
			for status := range op.Responses.Map() {
				closeObjects(responseSchema(op, status))
			}
		}
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &checked{t: t, api: clienttest.NewAPI(), router: router}
}

func closeObjects(schema *openapi3.Schema) {
	if schema != nil && schema.Type.Is("object") {
		schema.AdditionalProperties.Has = openapi3.Ptr(false)
		for _, property := range schema.Properties {
			closeObjects(property.Value)
		}
	}
}

// requestSchema and responseSchema return nil if there is no JSON body.
func requestSchema(op *openapi3.Operation) *openapi3.Schema {
	if op.RequestBody == nil {
		return nil
	}
	return jsonSchema(op.RequestBody.Value.Content)
}

func responseSchema(op *openapi3.Operation, status string) *openapi3.Schema {
	if op.Responses.Value(status) == nil {
		return nil
	}
	return jsonSchema(op.Responses.Value(status).Value.Content)
}

func jsonSchema(content openapi3.Content) *openapi3.Schema {
	if media := content.Get("application/json"); media != nil && media.Schema != nil {
		return media.Schema.Value
	}
	return nil
}

// client returns a Client. If a request or response breaks the contract, the test
// fails.
func (c *checked) client(sdkKey, baseURL string) *client.Client {
	c.t.Helper()
	sdk, err := client.New(sdkKey, client.WithBaseURL(baseURL), client.WithHTTPClient(&http.Client{Transport: c}),
		client.WithRetryPolicy(client.RetryPolicy{MaxAttempts: 1}))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if err := errors.Join(c.requests, c.responses); err != nil {
			c.t.Errorf("broken contract: %v", err)
		}
	})
	return sdk
}

func (c *checked) RoundTrip(req *http.Request) (*http.Response, error) {
	broken := func(what string, err error) error {
		return fmt.Errorf("%s %s %s: %w", what, req.Method, req.URL, err)
	}
	req = req.Clone(req.Context()) // the check replaces the body
	route, params, err := c.router.FindRoute(req)
	if err != nil {
		c.requests = errors.Join(c.requests, broken("request", err))
		return nil, err
	}
	input := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(req.Context(), input); err != nil {
		c.requests = errors.Join(c.requests, broken("request", err))
	}
	resp, err := c.api.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if err := checkResponse(input, resp); err != nil {
		c.responses = errors.Join(c.responses, broken("response "+resp.Status+" to", err))
	}
	return resp, nil
}

var options = &openapi3filter.Options{
	AuthenticationFunc:                authenticate,
	IncludeResponseStatus:             true,
	MultiError:                        true,
	RejectWhenRequestBodyNotSpecified: true,
	SkipSettingDefaults:               true,
	SchemaValidationOptions:           []openapi3.SchemaValidationOption{openapi3.DisableSchemaErrorDetails()},
}

func authenticate(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	if in.SecurityScheme.Type != "http" || in.SecurityScheme.Scheme != "bearer" {
		return fmt.Errorf("package client does not support the security scheme %s", in.SecuritySchemeName)
	}
	scheme, key, _ := strings.Cut(in.RequestValidationInput.Request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || key == "" {
		return errors.New("no bearer key")
	}
	return nil
}

func checkResponse(to *openapi3filter.RequestValidationInput, resp *http.Response) error {
	op := to.Route.Operation
	if responseSchema(op, strconv.Itoa(resp.StatusCode)) == nil { // ValidateResponse accepts redirects and responses without a schema
		return fmt.Errorf("%s declares no JSON response with status %d", op.OperationID, resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: to, Status: resp.StatusCode, Header: resp.Header, Options: options,
	}
	return openapi3filter.ValidateResponse(context.Background(), input.SetBodyBytes(body))
}
