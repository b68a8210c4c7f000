package linkauth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A Validator decides whether a link token is valid. *client.Client is one.
type Validator interface {
	ValidateLinkToken(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error)
}

// Middleware admits requests by their link token. Make one with New. It is safe
// for concurrent use.
type Middleware struct {
	validator Validator
	token     func(*http.Request) string
	failure   func(http.ResponseWriter, *http.Request, Failure)
}

// An Option configures a Middleware.
type Option func(*Middleware)

// WithToken takes the link token from where token finds it, such as a header of
// your own, instead of from Authorization: Bearer. White space around the result
// is removed; if nothing remains, the request has no token. Avoid query
// parameters: URLs end up in logs.
func WithToken(token func(*http.Request) string) Option {
	return func(m *Middleware) { m.token = token }
}

// WithFailure calls failure for every request that is not admitted, to log it or
// to write another response. The headers listed in the package documentation are
// already set. If failure writes nothing, the default response is sent, as by
// Failure.Write.
func WithFailure(failure func(http.ResponseWriter, *http.Request, Failure)) Option {
	return func(m *Middleware) { m.failure = failure }
}

// New returns a Middleware that validates link tokens with v. Of two options
// that set the same thing, the later one counts. It panics if v, an option, or
// an option's function is nil, since that is a mistake in the program.
func New(v Validator, opts ...Option) *Middleware {
	m := &Middleware{v, bearer, func(http.ResponseWriter, *http.Request, Failure) {}}
	for _, opt := range opts {
		opt(m) // panics if opt is nil
	}
	c, isClient := v.(*client.Client)
	if v == nil || isClient && c == nil || m.token == nil || m.failure == nil {
		panic("linkauth: New: the validator or the function of an option is nil")
	}
	return m
}

// bearer returns the token of the Authorization header, or "" if there is none.
// Of two headers, other software may have checked the one that we don't read.
func bearer(r *http.Request) string {
	if headers := r.Header["Authorization"]; len(headers) == 1 {
		if scheme, token, _ := strings.Cut(headers[0], " "); strings.EqualFold(scheme, "Bearer") {
			return token
		}
	}
	return ""
}

// Wrap returns a handler that calls next only for requests with a valid link
// token. next finds the validation with FromContext.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	if next == nil {
		panic("linkauth: Wrap: nil handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := m.validate(r)
		if err == nil {
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), *v)))
			return
		}
		f := FailureOf(r.Context(), err)
		f.setHeaders(w.Header())
		rec := &recorder{ResponseWriter: w}
		if m.failure(rec, r, f); !rec.wrote {
			f.Write(w)
		}
	})
}

// validate returns a valid validation, or an error.
func (m *Middleware) validate(r *http.Request) (*client.LinkTokenValidation, error) {
	token := strings.TrimSpace(m.token(r))
	if token == "" {
		return nil, ErrNoToken
	}
	v, err := m.validator.ValidateLinkToken(r.Context(), token)
	if err == nil && v == nil {
		err = errors.New("linkauth: the validator returned neither a validation nor an error")
	} else if err == nil && !v.Valid {
		err = ErrNotValid
	}
	return v, err
}

// A recorder knows whether WithFailure's function has written a response. If
// there is none, net/http sends a 200.
type recorder struct {
	http.ResponseWriter
	wrote bool
}

func (r *recorder) WriteHeader(status int)      { r.wrote = true; r.ResponseWriter.WriteHeader(status) }
func (r *recorder) Write(b []byte) (int, error) { r.wrote = true; return r.ResponseWriter.Write(b) }

type contextKey struct{}

// NewContext returns a copy of ctx in which FromContext finds v. Middleware does
// that for the requests it admits; use it to test a handler on its own.
func NewContext(ctx context.Context, v client.LinkTokenValidation) context.Context {
	return context.WithValue(ctx, contextKey{}, v)
}

// FromContext returns the validation of the link token that admitted the
// request. It returns false if no Middleware wraps the handler.
func FromContext(ctx context.Context) (client.LinkTokenValidation, bool) {
	v, ok := ctx.Value(contextKey{}).(client.LinkTokenValidation)
	return v, ok
}
