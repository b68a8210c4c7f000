package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// An authFunc returns the Authorization header for a call that ends at deadline. It is
// used even for a fixed key: code that prints a Client field by field then finds no
// key. With an error, it may return a header with a key that must be redacted.
type authFunc func(ctx context.Context, deadline time.Time) (string, error)

// A keyFunc is what WithKeySource takes.
type keyFunc = func(context.Context) (string, error)

// newAuthFunc returns the function for the arguments of New: a fixed key, the path of
// WithKeyFile or the function of WithKeySource. There must be only one.
func newAuthFunc(sdkKey string, path *string, source *keyFunc) (authFunc, error) {
	switch {
	case sdkKey != "" && (path != nil || source != nil), path != nil && source != nil:
		return nil, invalid("New", "more than one of an SDK key, WithKeyFile and WithKeySource is given")
	case source != nil && *source == nil:
		return nil, invalid("WithKeySource", "the function is nil")
	case source != nil:
		return limited(checked("WithKeySource", *source)), nil
	case path != nil:
		read := checked("WithKeyFile", func(context.Context) (string, error) {
			text, err := os.ReadFile(*path)
			return strings.TrimSpace(string(text)), err
		})
		if _, err := read(context.Background()); err != nil {
			return nil, &failure{text: "oneloop: New: " + err.Error(), cause: errors.Join(ErrInvalidArgument, err)}
		}
		return limited(read), nil
	}
	if err := checkKey(sdkKey); err != nil {
		return nil, invalid("New", err.Error())
	}
	header := bearer + sdkKey
	return func(context.Context, time.Time) (string, error) { return header, nil }, nil
}

// limited passes the deadline to source. If the context has ended with a cause of the
// program's, source may have returned that, so its error is dropped.
func limited(source keyFunc) authFunc {
	return func(ctx context.Context, deadline time.Time) (string, error) {
		limitedCtx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		key, err := source(limitedCtx)
		if err != nil && context.Cause(ctx) != ctx.Err() {
			err = ctx.Err()
		}
		return bearer + key, err
	}
}

// checked returns a source that also rejects keys that can't be sent. Its errors
// begin with the name of the option.
func checked(option string, source keyFunc) keyFunc {
	return func(ctx context.Context) (string, error) {
		key, err := source(ctx)
		if err == nil {
			err = checkKey(key)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", option, err)
		}
		return key, err
	}
}

// checkKey rejects keys that are not printable ASCII, which RFC 6750 requires of a
// bearer token: a pasted line break or byte order mark would otherwise surface only
// as a 401. It also rejects characters that errors show escaped, which would escape
// redaction.
func checkKey(key string) error {
	if key == "" {
		return errors.New("the SDK key is empty")
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return errors.New("the SDK key has spaces, quotation marks, backslashes, control characters or characters outside ASCII")
	}
	return nil
}
