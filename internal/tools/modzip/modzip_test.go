// Package modzip tests the last commit as users get it: from the zip file that the Go
// module proxy would make of it.
package modzip

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const root = "../../.."

func Test(t *testing.T) {
	t.Setenv("GOWORK", "off")
	m := module.Version{Path: run(t, root, "go", "list", "-m"), Version: "v0.0.0-test"}

	// A directory that looks like a module proxy with this one version.
	proxy := t.TempDir()
	versions := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	if err := os.MkdirAll(versions, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(versions, "list"), m.Version+"\n")
	write(t, filepath.Join(versions, m.Version+".info"), `{"Version":"`+m.Version+`"}`)
	write(t, filepath.Join(versions, m.Version+".mod"), run(t, root, "git", "show", "HEAD:go.mod")+"\n")
	file, err := os.Create(filepath.Join(versions, m.Version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	clone := t.TempDir() // package zip doesn't know the worktrees of git
	run(t, ".", "git", "clone", "--quiet", "--no-checkout", root, clone)
	if err := zip.CreateFromVCS(file, m, clone, "HEAD", ""); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	// The version goes into a cache of its own. All else comes from the usual cache,
	// or from where it usually comes.
	t.Setenv("GOPROXY", "file://"+proxy+",file://"+run(t, root, "go", "env", "GOMODCACHE")+"/cache/download,"+run(t, root, "go", "env", "GOPROXY"))
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GONOSUMDB", m.Path)
	t.Setenv("GOFLAGS", "-mod=mod -modcacherw")
	user := t.TempDir()
	write(t, filepath.Join(user, "go.sum"), run(t, root, "git", "show", "HEAD:go.sum")+"\n")
	run(t, user, "go", "mod", "init", "example.com/user")
	run(t, user, "go", "get", m.String())
	t.Log(run(t, user, "go", "run", m.Path+"/examples/quickstart"))
	t.Log(run(t, user, "go", "test", m.Path+"/..."))
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a command in dir and returns what it prints.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, &stderr)
	}
	return strings.TrimSpace(string(out))
}
