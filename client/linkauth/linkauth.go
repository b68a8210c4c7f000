package linkauth

import (
	"context"
	"net/http"
	"strings"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A Validator validates link tokens. [*client.Client] implements it. So can a type
// that wraps one, for example to admit each token only once.
type Validator interface {
	ValidateLinkToken(ctx context.Context, linkToken string) (*client.LinkTokenValidation, error)
}

// A Middleware admits requests with a valid link token. Create one with [New]. It is
// safe for concurrent use.
type Middleware struct {
	validator Validator
	token     func(*http.Request) string
	failure   func(http.ResponseWriter, *http.Request, Failure)
}

// An Option configures a [Middleware].
type Option func(*Middleware)

// WithToken sets a function that returns the link token of a request, for example
// from a custom header. By default, the token is read from the Authorization header
// with the Bearer scheme. White space around the token is removed. If nothing
// remains, the request has no token. Avoid query parameters, because URLs end up in
// logs.
func WithToken(token func(*http.Request) string) Option {
	return func(m *Middleware) { m.token = token }
}

// WithFailure sets a function that is called for every request that is not admitted.
// It may log the failure, write a response, or both. The headers of
// [Failure.SetHeaders] are already set. Unless the function writes a status of 200
// or more, the response has Failure.Status; if the function writes no body either,
// the response is that of [Failure.Write].
func WithFailure(failure func(http.ResponseWriter, *http.Request, Failure)) Option {
	return func(m *Middleware) { m.failure = failure }
}

// New returns a [Middleware] that validates link tokens with v. If two options set
// the same thing, the later one wins. New panics if v, an option, or an option's
// function is nil.
func New(v Validator, opts ...Option) *Middleware {
	m := &Middleware{v, bearer, func(http.ResponseWriter, *http.Request, Failure) {}}
	for _, opt := range opts {
		opt(m) // panics if opt is nil
	}
	if v == nil || m.token == nil || m.failure == nil {
		panic("linkauth: New: the Validator or the function of an Option is nil")
	}
	return m
}

// bearer returns the token from the Authorization header, or "". It rejects two such
// headers, because software in front of the backend may have checked the other one.
func bearer(r *http.Request) string {
	if headers := r.Header["Authorization"]; len(headers) == 1 {
		if scheme, token, _ := strings.Cut(headers[0], " "); strings.EqualFold(scheme, "Bearer") {
			return token
		}
	}
	return ""
}

// Wrap returns a handler that calls next only for requests with a valid link token.
// In next, [FromContext] returns the validation.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := m.validate(r)
		if err != nil || v == nil || !v.Valid {
			m.reject(w, r, FailureOf(r.Context(), err))
			return
		}
		admitted := r.WithContext(NewContext(r.Context(), *v))
		// net/http deletes the uploaded files of r only, and middleware outside of this
		// one sees the Pattern of r.
		defer func() { r.MultipartForm, r.Pattern = admitted.MultipartForm, admitted.Pattern }()
		next.ServeHTTP(w, admitted)
	})
}

func (m *Middleware) validate(r *http.Request) (*client.LinkTokenValidation, error) {
	token := strings.TrimSpace(m.token(r))
	if token == "" {
		return nil, ErrNoToken
	}
	return m.validator.ValidateLinkToken(r.Context(), token)
}

func (m *Middleware) reject(w http.ResponseWriter, r *http.Request, f Failure) {
	f.SetHeaders(w.Header())
	rec := &recorder{ResponseWriter: w, status: f.Status}
	if m.failure(rec, r, f); !rec.wrote {
		f.Write(w)
	}
}

// A recorder is the ResponseWriter for WithFailure's function. It sends status before
// net/http would send a 200, and records whether any final status was sent.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
}

func (r *recorder) WriteHeader(status int) {
	r.wrote = r.wrote || status >= http.StatusOK
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.writeStatus()
	return r.ResponseWriter.Write(b)
}

// FlushError implements the Flush method of [http.ResponseController].
func (r *recorder) FlushError() error {
	r.writeStatus()
	return http.NewResponseController(r.ResponseWriter).Flush()
}

func (r *recorder) writeStatus() {
	if !r.wrote {
		r.WriteHeader(r.status)
	}
}

// Unwrap implements the other methods of [http.ResponseController].
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

type contextKey struct{}

// NewContext returns a copy of ctx that carries v, for [FromContext] to return. Use it
// where [Middleware] does not apply, and to test a handler without it.
func NewContext(ctx context.Context, v client.LinkTokenValidation) context.Context {
	return context.WithValue(ctx, contextKey{}, v)
}

// FromContext returns the validation of the request's link token. It returns false
// if the request did not pass a [Middleware].
func FromContext(ctx context.Context) (client.LinkTokenValidation, bool) {
	v, ok := ctx.Value(contextKey{}).(client.LinkTokenValidation)
	return v, ok
}
