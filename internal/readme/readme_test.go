// Package readme checks README.md against the code.
package readme

import (
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sources returns the repository's Go files.
func sources(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			var text []byte
			text, err = os.ReadFile(path)
			files[path] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func snippets(t *testing.T) (snippets []string) {
	t.Helper()
	for _, match := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		snippets = append(snippets, match[1])
	}
	if len(snippets) < 4 {
		t.Fatalf("README.md has %d Go snippets", len(snippets))
	}
	return snippets
}

// Every Go snippet is part of a file that a test compiles and runs. Readers copy it
// into a file of their own, so it must be a complete file, or complete declarations
// that use only names from imports and from earlier snippets.
func TestSnippets(t *testing.T) {
	files := sources(t)
	before := ""
	for _, snippet := range snippets(t) {
		var from string
		for path, source := range files {
			isTest := strings.HasSuffix(path, "_test.go") || strings.Contains(path, "examples")
			if isTest && strings.Contains(source, snippet) {
				from = source
			}
		}
		if from == "" {
			t.Errorf("no test or example contains this snippet of README.md:\n%s", snippet)
			continue
		}
		file := snippet
		if !strings.HasPrefix(file, "package ") {
			_, imports, _ := strings.Cut(from, "\nimport (")
			imports, _, _ = strings.Cut(imports, "\n)")
			file = "package p\n\nimport (" + imports + "\n)\n\n" + snippet
		}
		if formatted, err := format.Source([]byte(file)); err != nil || string(formatted) != file {
			t.Errorf("gofmt would change this snippet of README.md (%v):\n%s", err, snippet)
		}
		for _, name := range undefined(t, file) {
			if !strings.Contains(before, "func "+name+"(") {
				t.Errorf("%s is not defined in this snippet of README.md:\n%s", name, snippet)
			}
		}
		before += snippet
	}
}

// undefined returns the undefined names in a Go file.
func undefined(t *testing.T, source string) (names []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "README.md", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	config := types.Config{
		Importer: noPackages{}, // go/types then accepts all names from packages
		Error: func(err error) {
			if _, name, ok := strings.Cut(err.Error(), "undefined: "); ok {
				names = append(names, name)
			}
		},
	}
	_, _ = config.Check("p", files, []*ast.File{file}, nil)
	return names
}

type noPackages struct{}

func (noPackages) Import(string) (*types.Package, error) { return nil, errors.New("not imported") }

func TestOutputIsShown(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "examples/minimal/main_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, output, _ := strings.Cut(string(source), "// Output:\n")
	lines := regexp.MustCompile(`// (.+)`).FindAllStringSubmatch(output, -1)
	if len(lines) != 2 {
		t.Fatalf("examples/minimal prints %d lines, want 2", len(lines))
	}
	for _, line := range lines {
		if !strings.Contains(readme(t), "`"+line[1]+"`") {
			t.Errorf("README.md does not show %q, which examples/minimal prints", line[1])
		}
	}
}

func TestNamedTestsExist(t *testing.T) {
	security, err := os.ReadFile(filepath.Join(root, ".github/SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, source := range sources(t) {
		all.WriteString(source)
	}
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(string(security), -1)
	if len(names) < 8 {
		t.Fatalf("SECURITY.md names %d tests", len(names))
	}
	for _, name := range names {
		if !strings.Contains(all.String(), "func "+name[1]+"(") {
			t.Errorf("SECURITY.md names %s, which does not exist", name[1])
		}
	}
}

// The targets of links to files must exist. A module zip does not contain nested
// modules, so links to them are not checked there.
func TestLinks(t *testing.T) {
	_, err := os.Stat(filepath.Join(root, "internal/tools/go.mod"))
	isZip := errors.Is(err, fs.ErrNotExist)
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(readme(t), -1) {
		target := link[1]
		if strings.HasPrefix(target, "https://") || isZip && target == "examples/otel" {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, target)); err != nil {
			t.Error(err)
		}
	}
}

// A user looks for options, and for the licenses of what is linked, in README.md.
func TestNothingIsMissing(t *testing.T) {
	for file, want := range map[string]*regexp.Regexp{
		"internal/api/client.txt": regexp.MustCompile(`func (With\w+)\(.* Option`),
		"go.mod":                  regexp.MustCompile(`\t\S+?/([\w-]+)(?:/v\d+)? v`),
	} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		names := want.FindAllStringSubmatch(string(text), -1)
		if len(names) < 5 {
			t.Errorf("%s has %d names", file, len(names))
		}
		for _, name := range names {
			onlyForTests := name[1] == "httpmock"
			if !onlyForTests && !strings.Contains(readme(t), name[1]+"`") {
				t.Errorf("README.md does not have %s of %s", name[1], file)
			}
		}
	}
}

func TestLength(t *testing.T) {
	if lines := strings.Count(readme(t), "\n"); lines > 220 {
		t.Errorf("README.md has %d lines, want at most 220: it should take five minutes to read", lines)
	}
}
