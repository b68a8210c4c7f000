package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

func TestFaults(t *testing.T) {
	const g, v = "generate", "validate"
	for name, test := range map[string]struct {
		fault string
		calls []string
		want  []int // the status of each call; 0 without a response
	}{
		"status":          {`{"kind":"status","status":403}`, []string{g, g}, []int{403, 200}},
		"twice":           {`{"kind":"status","status":500,"times":2}`, []string{g, v, g}, []int{500, 500, 200}},
		"for validate":    {`{"kind":"status","status":500,"operation":"validateLinkToken","times":2}`, []string{g, v, g, v, v}, []int{200, 500, 200, 500, 400}},
		"for generate":    {`{"kind":"status","status":500,"operation":"generateLinkToken"}`, []string{v, g, g}, []int{400, 500, 200}},
		"always":          {`{"kind":"status","status":503,"always":true}`, []string{g, v, g, v, g}, []int{503, 503, 503, 503, 503}},
		"always validate": {`{"kind":"cut","operation":"validateLinkToken","always":true,"times":0}`, []string{g, v, v, g}, []int{200, 0, 0, 200}},
		"null":            {`{"kind":"cut","operation":null,"always":null,"times":null,"delay":null}`, []string{g, g}, []int{0, 200}},
		"response":        {`{"kind":"response","status":409,"body":"{}"}`, []string{g, g}, []int{409, 200}},
		"cut response":    {`{"kind":"cutResponse"}`, []string{g, g}, []int{0, 200}},
		"silence":         {`{"kind":"silence"}`, []string{g, g}, []int{0, 200}},
		"delay":           {`{"kind":"delay","delay":"1ms"}`, []string{g}, []int{200}},
		"long delay":      {`{"kind":"delay","delay":"1h"}`, []string{g}, []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			server, c := newFake(t)
			control(t, server, "POST", "/_fake/faults", test.fault)
			var got []int
			for _, call := range test.calls {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				if call == g {
					_, err := c.GenerateLinkToken(ctx, request)
					got = append(got, status(err))
				} else {
					_, err := c.ValidateLinkToken(ctx, "lt_unknown")
					got = append(got, status(err))
				}
				cancel()
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%v: got %v, want %v", test.calls, got, test.want)
			}
			control(t, server, "DELETE", "/_fake/faults", "")
			generate(t, c)
		})
	}
}

func status(err error) int {
	var e *client.ErrorResponse
	switch {
	case err == nil:
		return 200
	case errors.As(err, &e):
		return e.StatusCode
	}
	return 0
}

func TestRetryAfter(t *testing.T) {
	server, c := newFake(t)
	control(t, server, "POST", "/_fake/faults", `{"kind":"status","status":429,"retryAfter":"1500ms"}`)
	_, err := c.GenerateLinkToken(t.Context(), request)
	var e *client.ErrorResponse
	if !errors.As(err, &e) || e.StatusCode != 429 || e.RetryAfter != 2*time.Second {
		t.Errorf("got %v, want 429 and 2s", err)
	}
}

func TestResponse(t *testing.T) {
	for name, test := range map[string]struct{ fault, contentType, body string }{
		"JSON by default":   {`{"kind":"response","status":202,"body":"{}"}`, "application/json", "{}"},
		"null":              {`{"kind":"response","status":202,"body":null,"contentType":null}`, "application/json", ""},
		"HTML":              {`{"kind":"response","status":202,"body":"<p>é","contentType":"text/html"}`, "text/html", "<p>é"},
		"empty ContentType": {`{"kind":"response","status":202,"contentType":""}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(key, time.Minute)
			control(t, server, "POST", "/_fake/faults", test.fault)
			w := send(t, server, "GET", "/api/v1/link-token/lt_1", "")
			if got := w.Header().Get("Content-Type"); w.Code != 202 || w.Body.String() != test.body || got != test.contentType {
				t.Errorf("got %d %q %q, want 202 %q %q", w.Code, got, w.Body, test.contentType, test.body)
			}
		})
	}
}
