package contract

import (
	"context"
	"errors"
	"maps"
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

// exported maps operations to the types of package client for the request, or nil if
// it has no body, and the response.
var exported = map[string]struct{ request, response reflect.Type }{
	"generateLinkToken": {reflect.TypeFor[client.GenerateLinkTokenRequest](), reflect.TypeFor[client.LinkToken]()},
	"validateLinkToken": {nil, reflect.TypeFor[client.LinkTokenValidation]()},
}

// errorFields are the fields that client.ErrorResponse takes from a body: Code and
// Message.
var errorFields = []string{"error.code", "error.message"}

var sentinels = []error{client.ErrBadRequest, client.ErrUnauthorized, client.ErrForbidden, client.ErrRateLimited, client.ErrServer}

func TestDrift(t *testing.T) {
	doc := load(t)
	if len(doc.Servers) == 0 || doc.Servers[0].URL != client.DefaultBaseURL {
		t.Errorf("client.DefaultBaseURL is %s, which is not the contract's first server", client.DefaultBaseURL)
	}
	gone := maps.Clone(exported)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			delete(gone, op.OperationID)
			t.Run(method+" "+path, func(t *testing.T) {
				checkMethod(t, op, len(item.Parameters)+len(op.Parameters))
				checkErrors(t, op)
				checkFake(t, op, method, path)
			})
		}
	}
	for id := range gone {
		t.Errorf("the contract has no operation %s: remove it from package client, from clienttest and from exported in drift_test.go", id)
	}
}

// checkMethod checks that client.Client has a method for the operation, with an
// argument for each parameter and for the body, and that the types have the fields
// of the contract.
func checkMethod(t *testing.T, op *openapi3.Operation, parameters int) {
	types, ok := exported[op.OperationID]
	if !ok {
		t.Errorf("the operation %q is new: add a method to client.Client, and its types to exported in drift_test.go", op.OperationID)
		return
	}
	args := []reflect.Type{reflect.TypeFor[*client.Client](), reflect.TypeFor[context.Context]()}
	args = append(args, slices.Repeat([]reflect.Type{reflect.TypeFor[string]()}, parameters)...)
	if types.request != nil {
		args = append(args, types.request)
	}
	want := reflect.FuncOf(args, []reflect.Type{reflect.PointerTo(types.response), reflect.TypeFor[error]()}, false)
	name := strings.ToUpper(op.OperationID[:1]) + op.OperationID[1:]
	if method, ok := args[0].MethodByName(name); !ok {
		t.Errorf("client.Client has no method %s", name)
	} else if method.Type != want {
		t.Errorf("the method %s is a %v, but the contract requires a %v", name, method.Type, want)
	}
	checkFields(t, "request", requestSchema(op), types.request)
	checkFields(t, "200 response", responseSchema(op, "200"), types.response)
}

func checkFields(t *testing.T, of string, schema *openapi3.Schema, typ reflect.Type) {
	required := leaves(schema)
	if typ != nil {
		for _, field := range reflect.VisibleFields(typ) {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			must, ok := required[name]
			if !ok {
				t.Errorf("%v.%s has the JSON name %q, which is not in the contract's %s", typ, field.Name, name, of)
			} else if omits := options == "omitempty" || options == "omitzero"; must == omits {
				t.Errorf("%v.%s: omitted if empty: %t, but required in the contract's %s: %t", typ, field.Name, omits, of, must)
			}
			delete(required, name)
		}
	}
	for name := range required {
		t.Errorf("the contract's %s has the field %s, which is not in %v", of, name, typ)
	}
}

// leaves returns the names of the fields and whether they are required. Names of
// fields in nested objects are joined with dots. A nil schema has no fields.
func leaves(schema *openapi3.Schema) map[string]bool {
	required := map[string]bool{}
	if schema == nil {
		return required
	}
	for name, property := range schema.Properties {
		must := slices.Contains(schema.Required, name)
		if len(property.Value.Properties) == 0 {
			required[name] = must
		}
		for inner, innerMust := range leaves(property.Value) {
			required[name+"."+inner] = must && innerMust
		}
	}
	return required
}

func checkErrors(t *testing.T, op *openapi3.Operation) {
	for status := range op.Responses.Map() {
		if status == "200" {
			continue
		}
		code, _ := strconv.Atoi(status)
		response := &client.ErrorResponse{StatusCode: code}
		if !slices.ContainsFunc(sentinels, func(sentinel error) bool { return errors.Is(response, sentinel) }) {
			t.Errorf("no error of package client matches status %s: add one to client/errors.go, and to sentinels in drift_test.go", status)
		}
		if fields := slices.Sorted(maps.Keys(leaves(responseSchema(op, status)))); !slices.Equal(fields, errorFields) {
			t.Errorf("the contract's response %s has the fields %v, but client.ErrorResponse uses %v: change it, and errorFields in drift_test.go", status, fields, errorFields)
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
		t.Errorf("clienttest takes %s %s for the operation %q and responds with %s: add %s to client/clienttest", method, path, got, resp.Status, op.OperationID)
	}
}
