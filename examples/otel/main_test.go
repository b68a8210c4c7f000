package main

import (
	"bytes"
	"context"
	"errors"
	"io"
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
	if err := run(t.Context(), nil, env(nil), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ONELOOP_SDK_KEY is not set",
		`{"Name":"generateLinkToken"`,
		`{"Name":"validateLinkToken"`,
		`{"Key":"error.type","Value":{"Type":"STRING","Value":"503"}}`,
		`{"Key":"error.type","Value":{"Type":"STRING","Value":"connection"}}`,
		`{"Key":"error.type","Value":{"Type":"STRING","Value":"400"}}`,
		`"Name":"oneloop.client.retries"`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not contain %s:\n%s", want, &out)
		}
	}
	for _, secret := range []string{clienttest.SDKKey, "lt_test_"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the output shows %s:\n%s", secret, &out)
		}
	}
}

func TestRunWithKey(t *testing.T) {
	api := clienttest.NewAPI()
	server := httptest.NewServer(api)
	defer server.Close()
	var out bytes.Buffer
	if err := run(t.Context(), nil, env(map[string]string{"ONELOOP_SDK_KEY": clienttest.SDKKey, "ONELOOP_BASE_URL": server.URL}), &out); err != nil {
		t.Fatal(err)
	}
	if got := len(api.Requests()); got != 3 {
		t.Errorf("the server received %d requests, want 3", got)
	}
}

// broken is an output that can't be written to.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestRunFails(t *testing.T) {
	server := httptest.NewServer(clienttest.NewAPI())
	defer server.Close()
	ended, end := context.WithCancel(t.Context())
	end()
	for name, test := range map[string]struct {
		ctx  context.Context
		args []string
		env  map[string]string
		out  io.Writer
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
		"plain http, allowed": {
			ctx:  ended, // so that nothing is sent
			env:  map[string]string{"ONELOOP_SDK_KEY": "sdk_any", "ONELOOP_BASE_URL": "http://oneloop.example", "ONELOOP_INSECURE_HTTP": "1"},
			want: "context canceled",
		},
		"unknown flag":  {args: []string{"-nope"}, want: "nope"},
		"argument":      {args: []string{"nope"}, want: "nope"},
		"interrupted":   {ctx: ended, want: "context canceled"},
		"broken output": {out: broken{}, want: "disk full"},
	} {
		t.Run(name, func(t *testing.T) {
			var buffer bytes.Buffer
			if test.ctx == nil {
				test.ctx = t.Context()
			}
			if test.out == nil {
				test.out = &buffer
			}
			err := run(test.ctx, test.args, env(test.env), test.out)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, test.want)
			}
			if test.want == "context canceled" && !strings.Contains(buffer.String(), `"error.type"`) {
				t.Error("the interrupted call was not exported")
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, env(nil), &out); err != nil || !strings.Contains(out.String(), "ONELOOP_SDK_KEY") {
		t.Errorf("got %v and:\n%s", err, &out)
	}
}
