package main

import (
	"errors"
	"fmt"
	"go/constant"
	"go/types"
	"os"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/mod/semver"
	"golang.org/x/tools/go/packages"
)

// diff prints how the exported API has changed since a commit.
func diff(commit string) error {
	report, err := changesSince(commit)
	if err != nil {
		return err
	}
	if len(report.Changes) == 0 {
		fmt.Println("The exported API is the same.")
	}
	return report.Text(os.Stdout)
}

// check returns an error unless HEAD may be released under the tag. A pushed tag is
// permanent.
func check(tag string) error {
	client, err := load(".", "./client")
	if err != nil {
		return err
	}
	version := constant.StringVal(client.Packages[0].Scope().Lookup("Version").(*types.Const).Val())
	shallow, err := git("rev-parse", "--is-shallow-repository")
	if err != nil {
		return err
	}
	if shallow == "true" {
		return errors.New("a shallow clone lacks the earlier releases")
	}
	tags, err := git("tag", "--merged", "HEAD")
	if err != nil {
		return err
	}
	previous, err := previousRelease(tag, version, strings.Fields(tags))
	if err != nil {
		return err
	}
	if previous == "" {
		fmt.Printf("%s is the first release: there is no API to compare with\n", tag)
		return nil
	}
	report, err := changesSince(previous)
	if err != nil {
		return err
	}
	breaks := slices.ContainsFunc(report.Changes, func(c apidiff.Change) bool { return !c.Compatible })
	if !breaks {
		fmt.Printf("the exported API is compatible with %s\n", previous)
		return nil
	}
	if err := report.TextIncompatible(os.Stdout, true); err != nil {
		return err
	}
	if series(tag) == series(previous) {
		return fmt.Errorf("%s must not break programs that compile with %s", tag, previous)
	}
	fmt.Printf("%s may break programs that compile with %s\n", tag, previous)
	return nil
}

// previousRelease returns the highest release among the tags, or "" if there is none.
// It returns an error if the tag can't be the next one after it, or doesn't match
// client.Version.
func previousRelease(tag, version string, tags []string) (string, error) {
	if semver.Canonical(tag) != tag {
		return "", fmt.Errorf("%s is not a version like v1.2.3 or v1.2.3-rc.1", tag)
	}
	if strings.HasSuffix(version, "-dev") {
		return "", fmt.Errorf("client.Version is %s: remove -dev, which it has between releases", version)
	}
	if tag != "v"+version {
		return "", fmt.Errorf("the tag is %s, but client.Version is %s", tag, version)
	}
	previous := ""
	for _, t := range tags {
		if isRelease := semver.Canonical(t) == t && semver.Prerelease(t) == ""; isRelease && t != tag && semver.Compare(t, previous) > 0 {
			previous = t
		}
	}
	if core := strings.TrimSuffix(tag, semver.Prerelease(tag)); semver.Compare(core, previous) <= 0 {
		return "", fmt.Errorf("%s is not newer than %s", tag, previous)
	}
	return previous, nil
}

// series returns the versions among which the API stays compatible: a major version,
// or a minor version of v0.
func series(version string) string {
	if semver.Major(version) == "v0" {
		return semver.MajorMinor(version)
	}
	return semver.Major(version)
}

// changesSince compares the exported API with the one of a commit. It leaves out
// client.Version, which every release changes.
func changesSince(commit string) (report apidiff.Report, err error) {
	dir, err := os.MkdirTemp("", "release")
	if err != nil {
		return report, err
	}
	defer os.RemoveAll(dir)
	if _, err := git("worktree", "add", "--quiet", "--detach", dir, commit); err != nil {
		return report, err
	}
	defer func() {
		_, removeErr := git("worktree", "remove", "--force", dir)
		err = errors.Join(err, removeErr)
	}()
	before, err := load(dir, "./client/...")
	if err != nil {
		return report, err
	}
	now, err := load(".", "./client/...")
	if err != nil {
		return report, err
	}
	report = apidiff.ModuleChanges(before, now)
	report.Changes = slices.DeleteFunc(report.Changes, func(c apidiff.Change) bool {
		return strings.Contains(c.Message, "client.Version: value changed from ")
	})
	return report, nil
}

// load returns the packages that match a pattern in the module at dir.
func load(dir, pattern string) (*apidiff.Module, error) {
	loaded, err := packages.Load(&packages.Config{Dir: dir, Mode: packages.NeedName | packages.NeedTypes | packages.NeedModule}, pattern)
	if err != nil {
		return nil, err
	}
	module := &apidiff.Module{}
	for _, p := range loaded {
		for _, problem := range p.Errors {
			return nil, problem
		}
		module.Path = p.Module.Path
		module.Packages = append(module.Packages, p.Types)
	}
	return module, nil
}
