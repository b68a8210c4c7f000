package main

import "testing"

func TestPreviousRelease(t *testing.T) {
	tags := []string{"nightly", "v0", "v0.9.0", "v0.10.0", "v0.11.0-rc.1", "v0.2.0"}
	for name, test := range map[string]struct {
		tag, version string
		tags         []string
		want         string // "" is an error
	}{
		"minor":                 {"v0.11.0", "0.11.0", tags, "v0.10.0"},
		"patch":                 {"v0.10.1", "0.10.1", tags, "v0.10.0"},
		"major":                 {"v1.0.0", "1.0.0", tags, "v0.10.0"},
		"pre-release":           {"v0.11.0-rc.2", "0.11.0-rc.2", tags, "v0.10.0"},
		"already tagged":        {"v0.10.0", "0.10.0", tags, "v0.9.0"},
		"older":                 {"v0.9.1", "0.9.1", tags, ""},
		"pre-release of a past": {"v0.10.0-rc.9", "0.10.0-rc.9", tags, ""},
		"not client.Version":    {"v0.11.0", "0.12.0", tags, ""},
		"between releases":      {"v0.11.0-dev", "0.11.0-dev", tags, ""},
		"no v":                  {"0.11.0", "0.11.0", tags, ""},
		"short":                 {"v1.0", "1.0", tags, ""},
		"leading zero":          {"v0.011.0", "0.011.0", tags, ""},
		"build metadata":        {"v0.11.0+linux", "0.11.0+linux", tags, ""},
		"first release":         {"v1.0.0", "1.0.0", []string{"v1.0.0-rc.1"}, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := previousRelease(test.tag, test.version, test.tags)
			if err == nil && got == "" {
				got = "none"
			}
			if got != test.want || (err != nil) != (test.want == "") {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestSeries(t *testing.T) {
	for version, want := range map[string]string{"v0.1.2": "v0.1", "v0.10.0-rc.1": "v0.10", "v1.2.3": "v1", "v2.0.0-rc.1": "v2"} {
		if got := series(version); got != want {
			t.Errorf("%s: got %s, want %s", version, got, want)
		}
	}
}
