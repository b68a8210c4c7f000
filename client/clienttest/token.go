package clienttest

import (
	"crypto/rand"
	"math"
	"net/http"
	"time"
)

type linkToken struct {
	owner     Request
	epoch     int64 // the expiry, as sent in responses
	expiresAt time.Time
	ended     bool // revoked, or made to expire
}

// Issue returns a new link token for a customer in a workspace, as if one had been
// generated, but without a request. Use it to test code that only validates link
// tokens.
func (a *API) Issue(customerID, workspaceID string) (linkToken string) {
	linkToken, _ = a.issue(Request{CustomerID: customerID, WorkspaceID: workspaceID})
	return linkToken
}

// Advance moves the clock forward by d, or back if d is negative. Tokens that are
// issued afterwards also expire later by d. All advances add up to at most the longest
// [time.Duration], about 292 years, in either direction. To make a single token
// expire, use [API.Expire].
func (a *API) Advance(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case d > 0 && a.advanced > math.MaxInt64-d:
		a.advanced = math.MaxInt64
	case d < 0 && a.advanced < math.MinInt64-d:
		a.advanced = math.MinInt64
	default:
		a.advanced += d
	}
}

// Expire makes linkToken expire now, unless it already has. It does not move the
// clock. Validating the token then returns an ExpiresAt in the past, unlike after
// [API.Revoke]. Expire returns false if a did not issue linkToken.
func (a *API) Expire(linkToken string) bool {
	now := a.now() // before locking, because a test's clock may call a
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens[linkToken]
	if !ok {
		return false
	}
	t.ended = true
	if now = now.Add(a.advanced); now.Before(t.expiresAt) {
		t.epoch, t.expiresAt = epoch(now)
	}
	return true
}

// Revoke makes linkToken invalid. It returns false if a did not issue linkToken.
func (a *API) Revoke(linkToken string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.tokens[linkToken]
	if ok {
		t.ended = true
	}
	return ok
}

func (a *API) generate(r Request) response {
	token, expiresAt := a.issue(r)
	return jsonResponse(http.StatusOK, struct {
		Token     string `json:"token"`
		ExpiresAt int64  `json:"expiresAt"`
	}{token, expiresAt})
}

// issue returns a new link token, and its expiry as sent in responses.
func (a *API) issue(owner Request) (string, int64) {
	now := a.now() // before locking, because a test's clock may call a
	a.mu.Lock()
	defer a.mu.Unlock()
	t := &linkToken{owner: owner}
	t.epoch, t.expiresAt = epoch(now.Add(a.advanced).Add(a.lifetime)) // their sum may exceed a Duration
	token := "lt_test_" + rand.Text()
	a.tokens[token] = t
	return token, t.epoch
}

func (a *API) validate(r Request) response {
	now := a.now() // before locking, because a test's clock may call a
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

// The expiries that the contract and JSON allow.
var (
	earliest = time.Unix(1, 0)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// epoch converts t to the number used in responses, and returns that number and the
// time it represents. The number is in milliseconds. For times before March 1973 it
// is in seconds, because package client takes such small numbers for seconds.
func epoch(t time.Time) (int64, time.Time) {
	switch {
	case t.Before(earliest):
		t = earliest
	case t.After(latest):
		t = latest
	}
	if ms := t.UnixMilli(); ms >= 1e11 {
		return ms, time.UnixMilli(ms)
	}
	return t.Unix(), time.Unix(t.Unix(), 0)
}
