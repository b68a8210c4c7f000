package contract

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// literals has a valid value of each of the contract's types, and values of other
// types. The boolean is false because identifiers may be empty then, but not missing.
var literals = map[string]struct {
	valid   string
	invalid []string
}{
	"string":  {`"x"`, []string{"1", "true", "[]", "{}"}},
	"integer": {"1", []string{`"1"`, "1.5", "true", "[]", "{}"}},
	"boolean": {"false", []string{`"false"`, "0", "[]", "{}"}},
}

// Package client rejects each 200 response in which one field breaks the contract.
func TestMalformedResponses(t *testing.T) {
	for _, item := range load(t).Paths.Map() {
		for _, op := range item.Operations() {
			schema := responseSchema(op, "200")
			valid := map[string]string{}
			for name, property := range schema.Properties {
				valid[name] = literals[property.Value.Type.Slice()[0]].valid
			}
			if err := receive(t, op, object(valid)); err != nil {
				t.Fatalf("%s %s: %v", op.OperationID, object(valid), err)
			}
			for name, property := range schema.Properties {
				for _, field := range malformedFields(name, property.Value, slices.Contains(schema.Required, name)) {
					others := maps.Clone(valid)
					delete(others, name)
					body := strings.Replace(object(others), "{", "{"+field, 1)
					if err := receive(t, op, body); !errors.Is(err, client.ErrMalformedResponse) {
						t.Errorf("%s %s: got %v, want ErrMalformedResponse", op.OperationID, body, err)
					}
				}
			}
		}
	}
}

// malformedFields returns the JSON of a field in all the ways that break the contract.
func malformedFields(name string, schema *openapi3.Schema, required bool) (fields []string) {
	of := literals[schema.Type.Slice()[0]]
	invalid := of.invalid
	if schema.ExclusiveMin.IsTrue() && *schema.Min == 0 {
		invalid = append(slices.Clone(invalid), "0", "-1")
	}
	if required {
		fields = append(fields, "")
		invalid = append(slices.Clone(invalid), "null")
	}
	for _, literal := range invalid {
		fields = append(fields, `"`+name+`":`+literal+",")
	}
	return append(fields, strings.Repeat(`"`+name+`":`+of.valid+",", 2))
}

// object returns a JSON object whose last field is not in the contract.
func object(fields map[string]string) string {
	var out strings.Builder
	for name, literal := range fields {
		out.WriteString(`"` + name + `":` + literal + ",")
	}
	return "{" + out.String() + `"new":1}`
}

// receive calls the operation, with "x" for every argument, and lets the API respond
// with a 200 and the body.
func receive(t *testing.T, op *openapi3.Operation, body string) error {
	t.Helper()
	api := clienttest.NewAPI()
	api.Queue(clienttest.Response(200, nil, body))
	sdk, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
	if err != nil {
		t.Fatal(err)
	}
	method := reflect.ValueOf(sdk).MethodByName(methodName(op))
	if !method.IsValid() {
		t.Fatalf("client.Client has no method %s", methodName(op))
	}
	args := []reflect.Value{reflect.ValueOf(t.Context())}
	for i := 1; i < method.Type().NumIn(); i++ {
		arg := reflect.New(method.Type().In(i)).Elem()
		if arg.Kind() == reflect.String {
			arg.SetString("x")
		} else {
			for field := range arg.NumField() {
				arg.Field(field).SetString("x")
			}
		}
		args = append(args, arg)
	}
	err, _ = reflect.TypeAssert[error](method.Call(args)[1])
	return err
}
