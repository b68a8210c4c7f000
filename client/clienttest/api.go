package clienttest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// SDKKey is the SDK key that an API accepts.
const SDKKey = "sdk_test"

// defaultLifetime is the fake's choice: Oneloop does not say how long a link
// token lives.
const defaultLifetime = 15 * time.Minute

// An API is the Oneloop API in memory: an http.Handler and an
// http.RoundTripper over the same state. It is safe for concurrent use.
type API struct {
	lifetime time.Duration
	now      func() time.Time

	mu       sync.Mutex
	advanced time.Duration
	tokens   map[string]*linkToken
	faults   []Fault
	requests []Request
}

type linkToken struct {
	of        Request
	epoch     int64 // when it expires, as the contract says it
	expiresAt time.Time
	revoked   bool
}

// An Option configures an API.
type Option func(*API)

// WithLifetime sets how long link tokens live; the default is 15 minutes. With
// zero or less they have expired when they are made.
func WithLifetime(d time.Duration) Option { return func(a *API) { a.lifetime = d } }

// WithClock sets the clock by which link tokens expire; the default is time.Now.
func WithClock(now func() time.Time) Option { return func(a *API) { a.now = now } }

// NewAPI returns an API without link tokens.
func NewAPI(opts ...Option) *API {
	a := &API{lifetime: defaultLifetime, now: time.Now, tokens: map[string]*linkToken{}}
	for _, opt := range opts {
		opt(a)
	}
	return a
}

// HTTPClient returns an http.Client whose requests go to a, whatever their host:
//
//	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(api.HTTPClient()))
func (a *API) HTTPClient() *http.Client { return &http.Client{Transport: a} }

// Revoke makes linkToken invalid, and reports whether a had made it.
func (a *API) Revoke(linkToken string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens[linkToken]
	if ok {
		t.revoked = true
	}
	return ok
}

// Advance adds d to the clock. Several calls add up; d may be negative.
func (a *API) Advance(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.advanced += d
}

// Requests returns the requests that a got, the oldest first. Requests that it
// refused and requests that met a fault are among them.
func (a *API) Requests() []Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Request(nil), a.requests...)
}

// answer is what an API says to a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// errorAnswer has the contract's error shape. Which number stands in code, and
// how a message reads, is the fake's choice.
func errorAnswer(status int, message string) answer {
	type detail struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	return jsonAnswer(status, struct {
		Error detail `json:"error"`
	}{detail{status, message}})
}

func jsonAnswer(status int, body any) answer {
	encoded, _ := json.Marshal(body) // of our own types: it can't fail
	return answer{status, http.Header{"Content-Type": {"application/json"}}, encoded}
}

// serve answers r, or returns the error with which its connection ends.
func (a *API) serve(r *http.Request) (answer, error) {
	request, refusal := read(r)
	if r.Body != nil { // else net/http would not notice that the client has gone
		_, _ = io.Copy(io.Discard, r.Body)
	}
	if fault, ok := a.record(request); ok {
		if fault.late {
			a.answer(r, request, refusal)
		}
		switch own, err := fault.strike(r.Context()); {
		case err != nil:
			return answer{}, err
		case own != nil:
			return *own, nil
		}
	}
	return a.answer(r, request, refusal), nil
}

// answer acts, and answers as if there were no faults.
func (a *API) answer(r *http.Request, request Request, refusal *answer) answer {
	switch {
	case refusal != nil && request.Operation == "":
		return *refusal
	case r.Header.Get("Authorization") != "Bearer "+SDKKey:
		return errorAnswer(http.StatusUnauthorized, "invalid SDK key")
	case refusal != nil:
		return *refusal
	case a.now == nil:
		return *mistake("WithClock was given nil")
	case request.Operation == "generateLinkToken":
		return a.generate(request)
	default:
		return a.validate(request)
	}
}

// record keeps the request and takes the fault that is queued for it.
func (a *API) record(r Request) (fault Fault, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = append(a.requests, r)
	if len(a.faults) == 0 {
		return Fault{}, false
	}
	fault, a.faults = a.faults[0], a.faults[1:]
	return fault, true
}

func (a *API) generate(r Request) answer {
	now := a.now() // before the lock: a test's clock may ask a
	a.mu.Lock()
	defer a.mu.Unlock()
	expiresAt := now.Add(a.advanced + a.lifetime)
	if expiresAt.Unix() <= 0 || expiresAt.UTC().Year() > 9999 {
		return *mistake("a link token would expire before 1970 or after 9999")
	}
	token := "lt_test_" + rand.Text()
	t := &linkToken{of: r}
	t.epoch, t.expiresAt = epoch(expiresAt)
	a.tokens[token] = t
	return jsonAnswer(http.StatusOK, struct {
		Token     string `json:"token"`
		ExpiresAt int64  `json:"expiresAt"`
	}{token, t.epoch})
}

func (a *API) validate(r Request) answer {
	now := a.now() // before the lock: a test's clock may ask a
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens[r.LinkToken]
	if !ok {
		return errorAnswer(http.StatusBadRequest, "unknown link token")
	}
	return jsonAnswer(http.StatusOK, struct {
		Valid             bool   `json:"valid"`
		ExpiresAt         int64  `json:"expiresAt"`
		WorkspaceID       string `json:"workspaceId"`
		CustomerID        string `json:"customerId"`
		ExternalBillingID string `json:"externalBillingId,omitempty"`
	}{
		Valid:             !t.revoked && now.Add(a.advanced).Before(t.expiresAt),
		ExpiresAt:         t.epoch,
		WorkspaceID:       t.of.WorkspaceID,
		CustomerID:        t.of.CustomerID,
		ExternalBillingID: t.of.ExternalBillingID,
	})
}

// epoch returns t as the contract's number, and the time that this number says.
// It is in milliseconds, but where package client would take them for seconds:
// before March 1973.
func epoch(t time.Time) (int64, time.Time) {
	if ms := t.UnixMilli(); ms >= 1e11 {
		return ms, time.UnixMilli(ms)
	}
	return t.Unix(), time.Unix(t.Unix(), 0)
}
