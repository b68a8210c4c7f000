package readme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

// kinds has, for each name in the first column of README's error table, a function
// that reports whether an error is of that kind.
var kinds = map[string]func(error) bool{
	"ErrInvalidLinkToken":      is(client.ErrInvalidLinkToken),
	"ErrInvalidArgument":       is(client.ErrInvalidArgument),
	"ErrBadRequest":            is(client.ErrBadRequest),
	"ErrUnauthorized":          is(client.ErrUnauthorized),
	"ErrForbidden":             is(client.ErrForbidden),
	"ErrRateLimited":           is(client.ErrRateLimited),
	"ErrServer":                is(client.ErrServer),
	"ErrMalformedResponse":     is(client.ErrMalformedResponse),
	"context.Canceled":         is(context.Canceled),
	"context.DeadlineExceeded": is(context.DeadlineExceeded),
	"*ErrorResponse": func(err error) bool { // another one
		var e *client.ErrorResponse
		return errors.As(err, &e) && e.StatusCode < 500 && !slices.Contains([]int{400, 401, 403, 429}, e.StatusCode)
	},
	"*net.OpError": func(err error) bool { return strings.HasPrefix(err.Error(), "anything else") },
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// samples returns errors of each kind, for both operations.
func samples() []error {
	errs := []error{
		client.ErrInvalidLinkToken,
		client.ErrInvalidArgument,
		client.ErrMalformedResponse,
		context.Canceled,
		context.DeadlineExceeded,
		fmt.Errorf("anything else: %w", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}),
		errors.New("anything else"),
	}
	for _, operation := range []string{"validateLinkToken", "generateLinkToken"} {
		for _, status := range []int{302, 400, 401, 403, 404, 418, 429, 500, 501, 503, 599} {
			err := fmt.Errorf("wrapped: %w", &client.ErrorResponse{Operation: operation, StatusCode: status})
			errs = append(errs, err)
			if status != 400 { // a call ends with a 400, others may be tried again
				errs = append(errs, errors.Join(context.DeadlineExceeded, err))
			}
		}
	}
	return errs
}

// In README's error table, each row has one status. It must be the one that
// linkauth.FailureOf returns for all errors of that kind, so the order of the rows
// doesn't matter.
func TestStatuses(t *testing.T) {
	_, table, _ := strings.Cut(readme(t), "\n| error |")
	table, below, _ := strings.Cut(table, "\n\n")
	code, number := regexp.MustCompile("`([^`]+)`"), regexp.MustCompile(`\b[1-5]\d\d\b`)
	named := map[string]bool{}
	for _, row := range strings.Split(table, "\n")[2:] {
		columns := strings.Split(row, "|")
		if len(columns) != 5 || len(number.FindAllString(columns[3], -1)) != 1 {
			t.Errorf("want three columns, and one status in the last: %s", row)
			continue
		}
		matched := 0
		for _, match := range code.FindAllStringSubmatch(columns[1], -1) {
			name := match[1]
			if strings.HasSuffix(name, "LinkToken") && !strings.HasPrefix(name, "Err") {
				continue // a method, which limits the kinds of the row
			}
			named[name] = true
			if kinds[name] == nil {
				t.Errorf("no kind of errors is called %s", name)
				continue
			}
			for _, err := range samples() {
				if !kinds[name](err) || !comesFrom(err, columns[1]) {
					continue
				}
				matched++
				if got, want := fmt.Sprint(linkauth.FailureOf(t.Context(), err).Status), number.FindString(columns[3]); got != want {
					t.Errorf("%v: FailureOf returns %s, README.md says %s", err, got, want)
				}
			}
		}
		if matched == 0 {
			t.Errorf("no error matches %s", row)
		}
	}
	if len(named) != len(kinds) {
		t.Errorf("README.md names %d of %d kinds of errors: %v", len(named), len(kinds), named)
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	below, _, _ = strings.Cut(below, "\n\n")
	if want := fmt.Sprint(linkauth.FailureOf(canceled, context.Canceled).Status); !strings.Contains(below, want) {
		t.Errorf("the text below README.md's error table lacks the status %s, for a caller who has disconnected", want)
	}
}

// comesFrom reports whether err comes from the method that a row names, if it names
// one.
func comesFrom(err error, row string) bool {
	var e *client.ErrorResponse
	if !errors.As(err, &e) {
		return true
	}
	other := map[string]string{"validateLinkToken": "`GenerateLinkToken`", "generateLinkToken": "`ValidateLinkToken`"}[e.Operation]
	return !strings.Contains(row, other)
}
