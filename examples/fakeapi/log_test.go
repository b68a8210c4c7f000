package main

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestLog(t *testing.T) {
	t.Parallel()
	p := start(t, "-v", "-key", "sdk_mine")
	c, err := client.New(p.sdkKey, client.WithBaseURL(p.baseURL))
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	token, err := c.GenerateLinkToken(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	p.post(t, "/_fake/faults", `{"kind":"cut"}`)
	if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || !v.Valid {
		t.Errorf("got %+v, %v", v, err)
	}
	resp, err := http.Get(p.baseURL + "/v1/" + token.Token + "?key=sdk_mine")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	want := []string{
		"GET /api/v1/link-token/… 000",
		"GET /api/v1/link-token/… 200",
		"GET /v1/lt_… 404",
		"POST /_fake/faults 204",
		"POST /api/v1/link-token 200",
	}
	var got []string
	for range want {
		line := <-p.log
		if strings.Contains(line, strings.TrimPrefix(token.Token, "lt_")) || strings.Contains(line, "sdk_mine") {
			t.Errorf("the log contains a secret: %s", line)
		}
		got = append(got, regexp.MustCompile(`^\d\d:\d\d:\d\d (.*) [\d.]+(µs|ms|s)$`).ReplaceAllString(line, "$1"))
	}
	slices.Sort(got) // a cut may reach the client before it is logged
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
