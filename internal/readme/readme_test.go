package readme

import (
	"errors"
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

// flat is Go source without indentation and line ends that carry no meaning.
func flat(source string) string {
	lines := strings.Split(strings.ReplaceAll(source, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// Every Go snippet is part of a file that is compiled and run by a test. The
// indentation may differ.
func TestSnippetsAreCompiled(t *testing.T) {
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme(t), -1)
	if len(snippets) < 5 {
		t.Fatalf("README.md has %d Go snippets", len(snippets))
	}
	files := sources(t)
	for _, snippet := range snippets {
		found := false
		for path, source := range files {
			isTest := strings.HasSuffix(path, "_test.go") || strings.Contains(path, "examples")
			found = found || isTest && strings.Contains(flat(source), flat(snippet[1]))
		}
		if !found {
			t.Errorf("no test or example contains this snippet of README.md:\n%s", snippet[1])
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

// Links to files lead somewhere. A module zip has no nested modules, so there a
// link to one is not checked.
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

func TestLength(t *testing.T) {
	if lines := strings.Count(readme(t), "\n"); lines > 200 {
		t.Errorf("README.md has %d lines, want at most 200: it is to be read in five minutes", lines)
	}
}
