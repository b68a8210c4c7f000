package contract

import (
	"context"
	"errors"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

var (
	clientType  = reflect.TypeFor[*client.Client]()
	contextType = reflect.TypeFor[context.Context]()
	stringType  = reflect.TypeFor[string]()
	errorType   = reflect.TypeFor[error]()
)

// Package client and the fake have the operations of the contract, and no others.
func TestDrift(t *testing.T) {
	doc := load(t)
	if doc.Servers[0].URL != client.DefaultBaseURL {
		t.Errorf("client.DefaultBaseURL is %s, which is not the contract's server", client.DefaultBaseURL)
	}
	inContract := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			inContract[methodName(op)] = true
			t.Run(op.OperationID, func(t *testing.T) {
				checkMethod(t, op, len(item.Parameters)+len(op.Parameters))
				checkErrors(t, op)
				checkFake(t, op, method, path)
			})
		}
	}
	for i := range clientType.NumMethod() {
		m := clientType.Method(i)
		if m.Type.NumIn() > 1 && m.Type.In(1) == contextType && !inContract[m.Name] {
			t.Errorf("the contract has no operation for client.Client.%s", m.Name)
		}
	}
}

func methodName(op *openapi3.Operation) string {
	return strings.ToUpper(op.OperationID[:1]) + op.OperationID[1:]
}

// checkMethod checks that client.Client has a method for the operation, with an
// argument for each parameter and for the body, and that the types have the fields of
// the contract.
func checkMethod(t *testing.T, op *openapi3.Operation, parameters int) {
	method, ok := clientType.MethodByName(methodName(op))
	if !ok {
		t.Fatalf("client.Client has no method %s", methodName(op))
	}
	args := append([]reflect.Type{clientType, contextType}, slices.Repeat([]reflect.Type{stringType}, parameters)...)
	if op.RequestBody != nil {
		request := method.Type.In(method.Type.NumIn() - 1)
		args = append(args, request)
		checkFields(t, jsonSchema(op.RequestBody.Value.Content), request)
	}
	response := method.Type.Out(0)
	if want := reflect.FuncOf(args, []reflect.Type{response, errorType}, false); method.Type != want {
		t.Fatalf("the method %s is a %v, but the contract requires a %v", method.Name, method.Type, want)
	}
	checkFields(t, responseSchema(op, "200"), response.Elem())
}

// checkFields checks that the type has the schema's JSON names, and that it encodes a
// zero field if the schema requires the field.
func checkFields(t *testing.T, schema *openapi3.Schema, typ reflect.Type) {
	missing := map[string]bool{}
	for name := range schema.Properties {
		missing[name] = true
	}
	for _, field := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		required := slices.Contains(schema.Required, name)
		if !missing[name] {
			t.Errorf("%v.%s has the JSON name %q, which is not in the contract", typ, field.Name, name)
		} else if omits := options == "omitempty" || options == "omitzero"; omits == required {
			t.Errorf("%v.%s: omitted if empty: %t, but required in the contract: %t", typ, field.Name, omits, required)
		}
		delete(missing, name)
	}
	for name := range missing {
		t.Errorf("%v lacks the contract's field %s", typ, name)
	}
}

// checkErrors checks that errors.Is can tell each of the operation's error statuses.
func checkErrors(t *testing.T, op *openapi3.Operation) {
	for status := range op.Responses.Map() {
		code, _ := strconv.Atoi(status)
		matches := func(sentinel error) bool { return errors.Is(&client.ErrorResponse{StatusCode: code}, sentinel) }
		if status != "200" && !slices.ContainsFunc([]error{client.ErrBadRequest, client.ErrUnauthorized, client.ErrForbidden}, matches) {
			t.Errorf("no error of package client matches status %s", status)
		}
	}
}

var pathParameter = regexp.MustCompile(`\{[^}]*\}`)

func checkFake(t *testing.T, op *openapi3.Operation, method, path string) {
	api := clienttest.NewAPI()
	req := httptest.NewRequestWithContext(t.Context(), method, client.DefaultBaseURL+pathParameter.ReplaceAllString(path, "x"), nil)
	resp, err := api.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := api.Requests()[0].Operation; got != op.OperationID {
		t.Errorf("clienttest takes %s %s for the operation %q and responds with %s", method, path, got, resp.Status)
	}
}
