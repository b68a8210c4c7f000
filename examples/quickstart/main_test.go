package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestRunWithoutKey(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-customer", "ada", "-workspace", "engines"}, env(nil), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ONELOOP_SDK_KEY is not set",
		"Generated link token ****",
		"customer ada in workspace engines",
		"400 Bad Request: unknown link token",
		"client.ErrBadRequest) is true",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "lt_test_") {
		t.Errorf("the output shows the link token:\n%s", &out)
	}
}

func TestRunWithKey(t *testing.T) {
	api := clienttest.NewAPI()
	server := httptest.NewServer(api)
	defer server.Close()
	var out bytes.Buffer
	err := run(t.Context(), nil, env(map[string]string{"ONELOOP_SDK_KEY": clienttest.SDKKey, "ONELOOP_BASE_URL": server.URL}), &out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "Calling "+server.URL) {
		t.Errorf("the output does not name the server:\n%s", &out)
	}
	if got := len(api.Requests()); got != 3 {
		t.Errorf("the server received %d requests, want 3", got)
	}
}

// Oneloop documents no status for unknown link tokens.
func TestUnknownToken(t *testing.T) {
	const notValid = `{"valid":false,"expiresAt":4102444800,"workspaceId":"w","customerId":"c"}`
	for name, test := range map[string]struct {
		fault     clienttest.Fault
		output    string // part of it
		wantError bool
	}{
		"400":       {clienttest.Status(400), "ErrBadRequest) is true", false},
		"404":       {clienttest.Status(404), "status 404; errors.Is(err, client.ErrBadRequest) is false", false},
		"not valid": {clienttest.Response(200, nil, notValid), "causes no error here; its Valid is false", false},
		"malformed": {clienttest.Response(200, nil, "{}"), "It is valid", true},
	} {
		t.Run(name, func(t *testing.T) {
			api := clienttest.NewAPI()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/no-such-link-token") {
					api.Queue(test.fault)
				}
				api.ServeHTTP(w, r)
			}))
			defer server.Close()
			var out bytes.Buffer
			err := run(t.Context(), nil, env(map[string]string{"ONELOOP_SDK_KEY": clienttest.SDKKey, "ONELOOP_BASE_URL": server.URL}), &out)
			if (err != nil) != test.wantError || !strings.Contains(out.String(), test.output) || strings.Contains(out.String(), "nil") {
				t.Errorf("got error %v and output:\n%s", err, &out)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	server := httptest.NewServer(clienttest.NewAPI())
	defer server.Close()
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"wrong key": {
			env:  map[string]string{"ONELOOP_SDK_KEY": "sdk_wrong", "ONELOOP_BASE_URL": server.URL},
			want: "401 Unauthorized",
		},
		"plain http": {
			env:  map[string]string{"ONELOOP_SDK_KEY": "sdk_wrong", "ONELOOP_BASE_URL": "http://oneloop.example"},
			want: "WithBaseURL",
		},
		"insecure, but not 1": {
			env:  map[string]string{"ONELOOP_SDK_KEY": "sdk_wrong", "ONELOOP_BASE_URL": "http://oneloop.example", "ONELOOP_INSECURE_HTTP": "0"},
			want: "WithBaseURL",
		},
		"empty customer": {args: []string{"-customer", ""}, want: "CustomerID is empty"},
		"unknown flag":   {args: []string{"-nope"}, want: "nope"},
		"argument":       {args: []string{"nope"}, want: "nope"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), test.args, env(test.env), new(bytes.Buffer))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
		})
	}
}

func TestInsecureHTTP(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing is sent
	var out bytes.Buffer
	err := run(ctx, nil, env(map[string]string{
		"ONELOOP_SDK_KEY": "sdk_any", "ONELOOP_BASE_URL": "http://fake:8090", "ONELOOP_INSECURE_HTTP": "1",
	}), &out)
	if !errors.Is(err, context.Canceled) || !strings.Contains(out.String(), "Calling http://fake:8090") {
		t.Errorf("got %v and output %q, want a call to http://fake:8090", err, &out)
	}
}
