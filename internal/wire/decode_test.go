package wire

import (
	"errors"
	"net/http"
	"testing"
)

type object struct {
	S Field[string] `json:"s"`
	B Field[bool]   `json:"b"`
	N Field[int64]  `json:"n"`
}

func (o *object) Check() error {
	return errors.Join(o.S.Check("s", true), o.B.Check("b", false), o.N.Check("n", false), CheckAbove("n", &o.N, 0))
}

func TestDecode(t *testing.T) {
	const ok = ""
	for name, test := range map[string]struct{ contentType, encoding, body, want string }{
		"complete":             {"application/json", "", `{"s":"x","b":true,"n":1}`, ok},
		"optional ones absent": {"application/json", "", `{"s":"x"}`, ok},
		"optional ones null":   {"application/json", "", `{"s":"x","b":null,"n":null}`, ok},
		"charset":              {"Application/JSON; charset=utf-8", "", `{"s":"x"}`, ok},
		"+json":                {"application/problem+json", "", `{"s":"x"}`, ok},
		"identity":             {"application/json", "identity", `{"s":"x"}`, ok},
		"Identity":             {"application/json", "Identity", `{"s":"x"}`, ok},
		"HTML":                 {"text/html", "", `{"s":"x"}`, "the content type is not JSON"},
		"text/json":            {"text/x+json", "", `{"s":"x"}`, "the content type is not JSON"},
		"no content type":      {"", "", `{"s":"x"}`, "the content type is not JSON"},
		"gzip":                 {"application/json", "gzip", `{"s":"x"}`, "the body has a content encoding, which the request does not accept"},
		"not UTF-8":            {"application/json", "", "{\"s\":\"\xff\"}", "the body is not UTF-8"},
		"not JSON":             {"application/json", "", "<html>", "the body is not a JSON object"},
		"two values":           {"application/json", "", `{"s":"x"}{}`, "the body is not a JSON object"},
		"an array":             {"application/json", "", `[]`, "the body is not a JSON object"},
		"null":                 {"application/json", "", `null`, "s is missing, null or duplicated"},
		"missing":              {"application/json", "", `{}`, "s is missing, null or duplicated"},
		"required one null":    {"application/json", "", `{"s":null}`, "s is missing, null or duplicated"},
		"twice":                {"application/json", "", `{"s":"x","S":"x"}`, "s is missing, null or duplicated"},
		"optional one twice":   {"application/json", "", `{"s":"x","b":true,"b":true}`, "b is missing, null or duplicated"},
		"wrong types":          {"application/json", "", `{"s":1,"b":"x","n":1.5}`, "s must be a string; b must be a boolean; n must be an integer"},
		"not above 0":          {"application/json", "", `{"s":"x","n":0}`, "n must be greater than 0"},
		"lone surrogate":       {"application/json", "", `{"s":"\ud800"}`, "s contains invalid Unicode (U+FFFD)"},
		"U+FFFD":               {"application/json", "", "{\"s\":\"\ufffd\"}", "s contains invalid Unicode (U+FFFD)"},
	} {
		header := http.Header{"Content-Type": {test.contentType}}
		if test.encoding != "" {
			header.Set("Content-Encoding", test.encoding)
		}
		got := ok
		if err := Decode(header, []byte(test.body), new(object)); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
