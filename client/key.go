package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// An authFunc returns the Authorization header of a call before deadline.
// It is a function even if the key is fixed: then whatever prints a
// Client field by field, such as a debugger's dump, finds no key.
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
			// Not ErrInvalidArgument, for which callers blame whoever sent the link token.
			err = fmt.Errorf("WithKeySource: %w", err)
		}
		return bearer + key, err // the key also with an error, to redact it
	}, nil
}

// checkKey refuses keys that are not printable ASCII, as RFC 6750 requires of a
// bearer token: a pasted line break or byte order mark would otherwise surface
// only as a 401.
func checkKey(key string) error {
	if key == "" {
		return errors.New("the SDK key is empty")
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("the SDK key has spaces, control characters or characters outside ASCII")
	}
	return nil
}
