package client

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/gen"
)

// Package client has all operations and fields of the generated code.
func TestClientHasAllThatIsGenerated(t *testing.T) {
	generated, exported := reflect.TypeFor[*gen.Client](), reflect.TypeFor[*Client]()
	for i := range generated.NumMethod() {
		name := generated.Method(i).Name
		if _, ok := exported.MethodByName(name); !ok {
			t.Errorf("Client has no method %s", name)
		}
	}
	for wire, own := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[gen.GenerateLinkTokenRequest]():  reflect.TypeFor[GenerateLinkTokenRequest](),
		reflect.TypeFor[gen.GenerateLinkTokenResponse](): reflect.TypeFor[LinkToken](),
		reflect.TypeFor[gen.ValidateLinkTokenResponse](): reflect.TypeFor[LinkTokenValidation](),
	} {
		if got, want := jsonNames(own), jsonNames(wire); !maps.Equal(got, want) {
			t.Errorf("%v has fields %v, but %v has %v", own, got, wire, want)
		}
	}
}

// jsonNames maps the names of t's fields to their names in JSON.
func jsonNames(t reflect.Type) map[string]string {
	names := map[string]string{}
	for _, field := range reflect.VisibleFields(t) {
		names[field.Name], _, _ = strings.Cut(field.Tag.Get("json"), ",")
	}
	return names
}
