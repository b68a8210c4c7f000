// Package readme checks README.md against the code.
package readme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
)

// samples has errors for each name in the first column of README's error table. The
// last row of the table names *net.OpError and covers all other errors.
var samples = map[string][]error{
	"ErrInvalidArgument":       {fmt.Errorf("oneloop: %w", client.ErrInvalidArgument)},
	"ErrInvalidLinkToken":      {fmt.Errorf("oneloop: %w", client.ErrInvalidLinkToken)},
	"ErrBadRequest":            {status(400)},
	"ErrUnauthorized":          {status(401)},
	"ErrForbidden":             {status(403)},
	"ErrRateLimited":           {status(429)},
	"ErrServer":                {status(500), status(503), status(599)},
	"*ErrorResponse":           {status(302), status(404), status(418)},
	"ErrMalformedResponse":     {fmt.Errorf("oneloop: %w", client.ErrMalformedResponse)},
	"context.Canceled":         {fmt.Errorf("oneloop: %w", context.Canceled)},
	"context.DeadlineExceeded": {fmt.Errorf("oneloop: %w", context.DeadlineExceeded)},
	"*net.OpError":             {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, errors.New("any error")},
}

func status(code int) error {
	return fmt.Errorf("wrapped: %w", &client.ErrorResponse{StatusCode: code})
}

var (
	code   = regexp.MustCompile("`([^`]+)`")
	number = regexp.MustCompile(`\b[1-5]\d\d\b`)
	gone   = regexp.MustCompile(`([1-5]\d\d) if your caller has gone`)
)

// CheckStatuses compares a handler's response statuses with README's error table.
// operation is "validating" or "generating". respond calls the handler with a request
// whose context is ctx, causes the error err, and returns the status.
//
// In the last column of the table, the expected status is the number after
// "validating:" or "generating:", or else the first number.
func CheckStatuses(t *testing.T, operation string, respond func(ctx context.Context, err error) int) {
	t.Helper()
	text, err := os.ReadFile("../../README.md") // all callers are two levels below the root
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| error |")
	table, _, _ = strings.Cut(table, "\n\n")
	checked := map[string]bool{}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, row := range strings.Split(table, "\n")[1:] {
		columns := strings.Split(row, "|")
		if len(columns) != 5 || strings.HasPrefix(columns[1], "---") {
			continue
		}
		advice := columns[3]
		if _, ours, ok := strings.Cut(advice, operation+":"); ok {
			advice = ours
		}
		for _, name := range code.FindAllStringSubmatch(columns[1], -1) {
			checked[name[1]] = true
			if samples[name[1]] == nil {
				t.Errorf("README.md names %s, which has no sample", name[1])
			}
			for _, err := range samples[name[1]] {
				if got := fmt.Sprint(respond(t.Context(), err)); got != number.FindString(advice) {
					t.Errorf("%s, %v: got %s, README.md says %s", operation, err, got, number.FindString(advice))
				}
			}
		}
		if match := gone.FindStringSubmatch(columns[3]); match != nil {
			checked["gone"] = true
			if got := fmt.Sprint(respond(ended, ended.Err())); got != match[1] {
				t.Errorf("%s for a caller who has gone: got %s, README.md says %s", operation, got, match[1])
			}
		}
	}
	if !found || len(checked) != len(samples)+1 {
		t.Errorf("README.md's error table has %d of %d kinds of errors: %v", len(checked), len(samples)+1, checked)
	}
}
