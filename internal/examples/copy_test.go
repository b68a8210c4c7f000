package examples

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/oneloop-ai/oneloop-go"

// TestCopy copies each example out of this repository, as readers do, and compiles
// it there with its tests. An example with a go.mod of its own is compiled by its own
// tests; what could break its copy is an import that only this repository may use.
func TestCopy(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mains, err := filepath.Glob(filepath.Join(root, "examples/*/main.go"))
	if err != nil || len(mains) < 5 {
		t.Fatalf("found %d examples, %v", len(mains), err)
	}
	for _, main := range mains {
		dir := filepath.Dir(main)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			checkImports(t, dir)
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				return
			}
			to := t.TempDir()
			if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"go.mod", "go.sum"} {
				text, err := os.ReadFile(filepath.Join(root, name))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			run(t, to, "mod", "edit", "-module=example.com/copy", "-require="+module+"@v0.0.0", "-replace="+module+"="+root)
			run(t, to, "build", "-ldflags=-s -w", "-o", os.DevNull, ".") // debug information takes time
			run(t, to, "vet", ".")                                       // compiles the tests, too
		})
	}
}

func checkImports(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range file.Imports {
			if strings.HasPrefix(imported.Path.Value, `"`+module+"/internal/") {
				t.Errorf("%s imports %s", name, imported.Path.Value)
			}
		}
	}
}

// run runs the go command in a directory, without a network.
func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
