package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// An authFunc returns the Authorization header for a call that ends at deadline. It
// is used even for a fixed key: code that prints a Client field by field, such as a
// debugger, then finds a function and no key.
type authFunc func(ctx context.Context, deadline time.Time) (string, error)

const bearer = "Bearer "

func newAuthFunc(sdkKey string, source func(context.Context) (string, error)) (authFunc, error) {
	switch err := checkKey(sdkKey); {
	case source != nil && sdkKey != "":
		return nil, invalid("New", "both an SDK key and WithKeySource are given")
	case source == nil && err != nil:
		return nil, invalid("New", err.Error())
	case source == nil:
		header := bearer + sdkKey
		return func(context.Context, time.Time) (string, error) { return header, nil }, nil
	}
	return func(ctx context.Context, deadline time.Time) (string, error) {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		key, err := source(ctx)
		if err == nil {
			err = checkKey(key)
		}
		if err != nil {
			// Not ErrInvalidArgument: callers treat that as an invalid link token.
			err = fmt.Errorf("WithKeySource: %w", err)
		}
		return bearer + key, err // return the key even with an error, so that it is redacted
	}, nil
}

// checkKey refuses keys that are not printable ASCII, which RFC 6750 requires of a
// bearer token. A pasted line break or byte order mark would otherwise surface only
// as a 401.
func checkKey(key string) error {
	if key == "" {
		return errors.New("the SDK key is empty")
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the SDK key has spaces, control characters or characters outside ASCII")
	}
	return nil
}
