package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (f *fixture) control(name, token string) {
	f.t.Helper()
	body := strings.NewReader(url.Values{"token": {token}}.Encode())
	r := httptest.NewRequest(http.MethodPost, "/fake/"+name, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	want(f.t, f.do(r), http.StatusOK, "")
}

func TestControl(t *testing.T) {
	for name, test := range map[string]struct {
		linkToken, usage int // statuses
		takes            time.Duration
	}{
		"revoke":    {200, 401, 0},
		"expire":    {200, 401, 0},
		"outage":    {503, 503, 0},
		"slow":      {200, 200, 2 * time.Second},
		"wrong-key": {503, 503, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				token := f.linkToken().Token
				f.control(name, token)
				start := time.Now()
				usage := f.do(usageRequest("Bearer " + token)).StatusCode
				took := time.Since(start)
				if got := f.do(f.linkTokenRequest()).StatusCode; got != test.linkToken || usage != test.usage {
					t.Errorf("got statuses %d and %d, want %d and %d", got, usage, test.linkToken, test.usage)
				}
				if took < test.takes {
					t.Errorf("the request took %v, want at least %v", took, test.takes)
				}

				f.control("works", "")
				start = time.Now()
				if got := f.do(f.validUsageRequest()).StatusCode; got != http.StatusOK || time.Since(start) > 0 {
					t.Errorf("afterwards: got status %d after %v, want 200 at once", got, time.Since(start))
				}
			})
		})
	}
}
