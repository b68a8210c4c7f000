package clienttest

import (
	"crypto/rand"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// SDKKey is the SDK key that an API accepts unless WithSDKKey or
// [API.SetSDKKey] names another.
const SDKKey = "sdk_test"

// defaultLifetime is the fake's choice: Oneloop does not document how long a link
// token lives.
const defaultLifetime = 15 * time.Minute

// An API is the Oneloop API in memory: an http.Handler and an
// http.RoundTripper over the same state. It is safe for concurrent use. Make it
// with [NewAPI].
type API struct {
	lifetime  time.Duration
	now       func() time.Time
	nilOption bool

	mu       sync.Mutex
	sdkKey   string
	advanced time.Duration
	tokens   map[string]*linkToken
	faults   []Fault
	requests []Request
}

type linkToken struct {
	owner     Request
	epoch     int64 // its expiry, as the contract's number
	expiresAt time.Time
	ended     bool // revoked, or expired ahead of time
}

// An Option configures an API.
type Option func(*API)

// WithLifetime sets how long link tokens live; the default is 15 minutes. With
// zero or less they have expired when they are made.
func WithLifetime(d time.Duration) Option { return func(a *API) { a.lifetime = d } }

// WithClock sets the clock by which link tokens expire; the default is time.Now.
func WithClock(now func() time.Time) Option { return func(a *API) { a.now = now } }

// WithSDKKey sets the SDK key that the API accepts; the default is [SDKKey]. With
// "" it accepts none.
func WithSDKKey(key string) Option { return func(a *API) { a.sdkKey = key } }

// NewAPI returns an API without link tokens.
func NewAPI(opts ...Option) *API {
	a := &API{lifetime: defaultLifetime, now: time.Now, sdkKey: SDKKey, tokens: map[string]*linkToken{}}
	for _, opt := range opts {
		if opt == nil {
			a.nilOption = true
			continue
		}
		opt(a)
	}
	return a
}

// HTTPClient returns an http.Client whose requests go to a, whatever their host:
//
//	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
func (a *API) HTTPClient() *http.Client { return &http.Client{Transport: a} }

// SetSDKKey replaces the SDK key that a accepts, as a rotation does. With "" it
// accepts none, as after a revocation.
func (a *API) SetSDKKey(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sdkKey = key
}

// Advance adds d to the clock. Several calls add up; d may be negative. Tokens
// that are generated later expire later by d, too; to end a single token without
// that, use Expire.
func (a *API) Advance(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advanced += d
}

// Expire makes linkToken expire now, if it hasn't yet, and reports whether a had
// made it. It doesn't move the clock. Unlike a revoked token, an expired one
// validates with an expiry that has passed.
func (a *API) Expire(linkToken string) bool {
	if a.misuse() != "" { // then it never made a token
		return false
	}
	now := a.now() // before the lock: a test's clock may call a
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens[linkToken]
	if !ok {
		return false
	}
	t.ended = true
	if now = now.Add(a.advanced); now.Before(t.expiresAt) {
		t.epoch, t.expiresAt = epoch(now)
		t.epoch = max(t.epoch, 1) // the contract's minimum
	}
	return true
}

// Revoke makes linkToken invalid, and reports whether a had made it.
func (a *API) Revoke(linkToken string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens[linkToken]
	if ok {
		t.ended = true
	}
	return ok
}

// Requests returns the requests that a received, the oldest first. Requests that
// it refused and requests that met a fault are among them.
func (a *API) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// misuse returns what is wrong with how a was made, or "".
func (a *API) misuse() string {
	switch {
	case a.tokens == nil:
		return "the API was not made with NewAPI"
	case a.nilOption:
		return "NewAPI was given a nil Option"
	case a.now == nil:
		return "WithClock was given nil"
	}
	return ""
}

// serve returns the response to r, or the error with which its connection ends.
func (a *API) serve(r *http.Request) (response, error) {
	request, refusal := read(r)
	if r.Body != nil { // net/http notices that a client has left only after the body
		_, _ = io.Copy(io.Discard, r.Body)
	}
	if what := a.misuse(); what != "" {
		return misuseResponse(what), nil
	}
	if fault, ok := a.record(request); ok {
		if fault.late {
			a.respond(r, request, refusal)
		}
		switch resp, err := fault.strike(r.Context()); {
		case err != nil:
			return response{}, err
		case resp != nil:
			return *resp, nil
		}
	}
	return a.respond(r, request, refusal), nil
}

// record keeps the request and returns the fault that it meets, if any.
func (a *API) record(r Request) (fault Fault, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r)
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

// respond acts on a request, and responds as if there were no faults.
func (a *API) respond(r *http.Request, request Request, refusal *response) response {
	switch {
	case refusal != nil && request.Operation == "":
		return *refusal
	case !a.authorized(r):
		return errorResponse(http.StatusUnauthorized, "invalid SDK key")
	case refusal != nil:
		return *refusal
	case request.Operation == generateLinkToken:
		return a.generate(request)
	default:
		return a.validate(request)
	}
}

// authorized reports whether r has the SDK key. RFC 9110 lets the scheme be in
// any case.
func (a *API) authorized(r *http.Request) bool {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sdkKey != "" && strings.EqualFold(scheme, "Bearer") && strings.TrimLeft(key, " ") == a.sdkKey
}

func (a *API) generate(r Request) response {
	now := a.now() // before the lock: a test's clock may call a
	a.mu.Lock()
	defer a.mu.Unlock()
	expiresAt := now.Add(a.advanced + a.lifetime)
	if expiresAt.Unix() <= 0 || expiresAt.UTC().Year() > 9999 {
		return misuseResponse("a link token would expire before 1970 or after 9999")
	}
	token := "lt_test_" + rand.Text()
	t := &linkToken{owner: r}
	t.epoch, t.expiresAt = epoch(expiresAt)
	a.tokens[token] = t
	return jsonResponse(http.StatusOK, struct {
		Token     string `json:"token"`
		ExpiresAt int64  `json:"expiresAt"`
	}{token, t.epoch})
}

func (a *API) validate(r Request) response {
	now := a.now() // before the lock: a test's clock may call a
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens[r.LinkToken]
	if !ok {
		return errorResponse(http.StatusBadRequest, "unknown link token")
	}
	return jsonResponse(http.StatusOK, struct {
		Valid             bool   `json:"valid"`
		ExpiresAt         int64  `json:"expiresAt"`
		WorkspaceID       string `json:"workspaceId"`
		CustomerID        string `json:"customerId"`
		ExternalBillingID string `json:"externalBillingId,omitempty"`
	}{
		Valid:             !t.ended && now.Add(a.advanced).Before(t.expiresAt),
		ExpiresAt:         t.epoch,
		WorkspaceID:       t.owner.WorkspaceID,
		CustomerID:        t.owner.CustomerID,
		ExternalBillingID: t.owner.ExternalBillingID,
	})
}

// epoch returns t as the contract's number, and the time that this number means.
// It is in milliseconds, except before March 1973: package client would take so
// few milliseconds for seconds.
func epoch(t time.Time) (int64, time.Time) {
	if ms := t.UnixMilli(); ms >= 1e11 {
		return ms, time.UnixMilli(ms)
	}
	return t.Unix(), time.Unix(t.Unix(), 0)
}
