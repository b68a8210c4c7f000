package clienttest

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// SDKKey is the SDK key that an API accepts by default. WithSDKKey and
// [API.SetSDKKey] change it.
const SDKKey = "sdk_test"

// defaultLifetime is arbitrary: Oneloop does not document how long link tokens live.
const defaultLifetime = 15 * time.Minute

// maxRequests bounds the memory of a fake that runs for long.
const maxRequests = 10_000

// An API is an in-memory fake of the Oneloop API. It is an [http.Handler] and an
// [http.RoundTripper], which share their state. It is safe for concurrent use. Create
// one with [NewAPI].
type API struct {
	lifetime time.Duration
	now      func() time.Time

	mu       sync.Mutex
	sdkKey   string
	advanced time.Duration
	tokens   map[string]*linkToken
	faults   []Fault
	requests []Request
}

// An Option configures an [API].
type Option func(*API)

// WithLifetime sets how long link tokens live. The default is 15 minutes. With zero
// or less, they are expired from the start.
func WithLifetime(d time.Duration) Option { return func(a *API) { a.lifetime = d } }

// WithClock sets the clock by which link tokens expire. The default is [time.Now].
// WithClock panics if now is nil.
func WithClock(now func() time.Time) Option {
	if now == nil {
		panic("clienttest: WithClock: nil function")
	}
	return func(a *API) { a.now = now }
}

// WithSDKKey sets the SDK key that the API accepts. The default is [SDKKey]. With "",
// the API accepts no key.
func WithSDKKey(key string) Option { return func(a *API) { a.sdkKey = key } }

// NewAPI returns an [API] without link tokens. It panics if an option is nil.
func NewAPI(opts ...Option) *API {
	a := &API{lifetime: defaultLifetime, now: time.Now, sdkKey: SDKKey, tokens: map[string]*linkToken{}}
	for _, opt := range opts {
		if opt == nil {
			panic("clienttest: NewAPI: nil Option")
		}
		opt(a)
	}
	return a
}

// HTTPClient returns an [http.Client] that sends all requests to a, regardless of
// their host:
//
//	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
func (a *API) HTTPClient() *http.Client { return &http.Client{Transport: a} }

// SetSDKKey changes the SDK key that a accepts, to test rotation. With "", a accepts
// no key, as if it had been revoked.
func (a *API) SetSDKKey(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sdkKey = key
}

// Requests returns the newest 10,000 requests that a has received, oldest first. They
// include requests that a rejected, or to which a fault applied.
func (a *API) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// serve returns the response to r, or an error if its connection must be cut.
func (a *API) serve(r *http.Request) (response, error) {
	request, rejection := read(r)
	if r.Body != nil { // net/http doesn't notice a disconnect before the body is read
		_, _ = io.Copy(io.Discard, r.Body)
	}
	if fault, ok := a.record(request); ok {
		if fault.late {
			a.respond(r, request, rejection)
		}
		switch resp, err := fault.effect(r.Context()); {
		case err != nil:
			return response{}, err
		case resp != nil:
			return *resp, nil
		}
	}
	return a.respond(r, request, rejection), nil
}

// record stores the request, and returns the fault for it, if there is one.
func (a *API) record(r Request) (fault Fault, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests[max(0, len(a.requests)-maxRequests+1):], r)
	i := slices.IndexFunc(a.faults, func(f Fault) bool { return f.operation == "" || f.operation == r.Operation })
	if i < 0 {
		return Fault{}, false
	}
	fault = a.faults[i]
	if !fault.always {
		a.faults = slices.Delete(a.faults, i, i+1)
	}
	return fault, true
}

// respond processes a request as if there were no faults.
func (a *API) respond(r *http.Request, request Request, rejection *response) response {
	switch {
	case rejection != nil && request.Operation == "":
		return *rejection
	case !a.authorized(r):
		return errorResponse(http.StatusUnauthorized, "invalid SDK key")
	case rejection != nil:
		return *rejection
	case request.Operation == generateLinkToken:
		return a.generate(request)
	default:
		return a.validate(request)
	}
}

// authorized reports whether r has the SDK key. The scheme is case-insensitive (RFC
// 9110).
func (a *API) authorized(r *http.Request) bool {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sdkKey != "" && strings.EqualFold(scheme, "Bearer") && strings.TrimLeft(key, " ") == a.sdkKey
}
