package contract

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/oasdiff/yaml"
)

// openapi.yaml is the union of the pages of Oneloop's API reference. testdata holds
// the YAML of these pages, unchanged.
func TestUnion(t *testing.T) {
	pages, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	contract := values(t, "openapi.yaml")
	added := maps.Clone(contract)
	for _, page := range pages {
		for path, value := range values(t, page) {
			if !reflect.DeepEqual(contract[path], value) {
				t.Errorf("%s: %s is %v, but in openapi.yaml it is %v", page, path, value, contract[path])
			}
			delete(added, path)
		}
	}
	for path := range added {
		t.Errorf("openapi.yaml: %s is on no page", path)
	}
}

// values returns the values in a YAML file that are not objects, by their paths.
func values(t *testing.T, name string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if _, err := yaml.Unmarshal(data, &document, yaml.DecodeOpts{}); err != nil {
		t.Fatal(err)
	}
	found := map[string]any{}
	var find func(path string, value any)
	find = func(path string, value any) {
		object, ok := value.(map[string]any)
		if !ok {
			found[path] = value
		}
		for key, inner := range object {
			find(strings.TrimSpace(path+" "+key), inner)
		}
	}
	find("", document)
	return found
}
