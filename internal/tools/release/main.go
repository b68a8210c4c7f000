// Command release compares the exported API with that of an earlier commit:
//
//	go -C internal/tools run ./release diff main      # print what has changed since main
//	go -C internal/tools run ./release check v1.2.3   # may HEAD be released as v1.2.3?
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("release: ")
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	root, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := os.Setenv("GOWORK", "off"); err != nil {
		return err
	}
	switch {
	case len(args) == 2 && args[0] == "diff":
		return diff(args[1])
	case len(args) == 2 && args[0] == "check":
		return check(args[1])
	}
	return errors.New("usage: release diff COMMIT or release check TAG")
}

// git runs git and returns what it prints.
func git(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	return strings.TrimSpace(string(out)), nil
}
