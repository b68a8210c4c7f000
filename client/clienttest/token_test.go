package clienttest_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func TestGeneratedTokenValidates(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c)
		got, err := c.ValidateLinkToken(t.Context(), token.Token)
		if err != nil {
			t.Fatal(err)
		}
		want := client.LinkTokenValidation{Valid: true, ExpiresAt: token.ExpiresAt, WorkspaceID: "w1", CustomerID: "c1", ExternalBillingID: "b1"}
		if *got != want {
			t.Errorf("got %+v, want %+v", *got, want)
		}
		if other := mustGenerate(t, c); other.Token == token.Token {
			t.Error("two link tokens are equal")
		}
	})
}

func TestIssue(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		api.Queue(clienttest.Status(503))
		token := api.Issue("c1", "w1")
		if other := api.Issue("c1", "w1"); other == token || !strings.HasPrefix(token, "lt_test_") {
			t.Errorf("got %q and %q, want two link tokens of the fake", token, other)
		}
		if got := api.Requests(); len(got) != 0 {
			t.Errorf("got requests %+v, want none", got)
		}
		if _, err := c.ValidateLinkToken(t.Context(), token); status(err) != 503 {
			t.Errorf("got %v, want the queued 503", err)
		}
		v, err := c.ValidateLinkToken(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(v.ExpiresAt); left < 14*time.Minute || left > 15*time.Minute {
			t.Errorf("the token expires in %v, want 15m", left)
		}
		want := client.LinkTokenValidation{Valid: true, ExpiresAt: v.ExpiresAt, WorkspaceID: "w1", CustomerID: "c1"}
		if *v != want {
			t.Errorf("got %+v, want %+v", *v, want)
		}
		api.Advance(time.Hour)
		if v, err := c.ValidateLinkToken(t.Context(), token); err != nil || v.Valid {
			t.Errorf("an hour later: got %+v, %v, want an expired token", v, err)
		}
	})
}

func TestExpiry(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c)
		for _, step := range []struct {
			advance time.Duration
			valid   bool
		}{{0, true}, {14 * time.Minute, true}, {time.Minute, false}, {-time.Minute, true}} {
			api.Advance(step.advance)
			v, err := c.ValidateLinkToken(t.Context(), token.Token)
			if err != nil || v.Valid != step.valid || v.CustomerID != "c1" {
				t.Errorf("after %v more: got %+v, %v, want valid %t", step.advance, v, err, step.valid)
			}
		}
	})
}

func TestClockAndLifetime(t *testing.T) {
	for _, now := range []time.Time{
		time.Unix(0, 0), time.Unix(90_000_000, 0), time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC),
	} {
		api := clienttest.NewAPI(clienttest.WithLifetime(time.Hour), clienttest.WithClock(func() time.Time { return now }))
		c := newClient(t, api)
		if got, want := mustGenerate(t, c).ExpiresAt, now.Add(time.Hour); !got.Equal(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	for _, now := range []time.Time{time.Unix(1, 0), time.Now()} {
		expired := clienttest.NewAPI(clienttest.WithLifetime(0), clienttest.WithClock(func() time.Time { return now }))
		c := newClient(t, expired)
		if v, err := c.ValidateLinkToken(t.Context(), mustGenerate(t, c).Token); err != nil || v.Valid {
			t.Errorf("got %+v, %v, want a token that has already expired", v, err)
		}
	}

	const centuries = 200 * 365 * 24 * time.Hour // twice that is more than the longest Duration
	api := clienttest.NewAPI(clienttest.WithLifetime(centuries))
	api.Advance(centuries)
	if got, want := mustGenerate(t, newClient(t, api)).ExpiresAt, time.Now().Add(centuries); got.Before(want) {
		t.Errorf("got %v, want centuries after %v", got, want)
	}
}

func TestRevoke(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c)
		if !api.Revoke(token.Token) || api.Revoke("another") {
			t.Error("Revoke returned false for a generated token, or true for another one")
		}
		if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid {
			t.Errorf("got %+v, %v, want an invalid token", v, err)
		}
	})
}

func TestExpire(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token, other := mustGenerate(t, c), mustGenerate(t, c)
		if !api.Expire(token.Token) || api.Expire("another") {
			t.Error("Expire returned false for a generated token, or true for another one")
		}
		v, err := c.ValidateLinkToken(t.Context(), token.Token)
		if err != nil || v.Valid || v.ExpiresAt.After(time.Now()) || v.CustomerID != "c1" {
			t.Errorf("got %+v, %v, want a token that has expired", v, err)
		}
		api.Advance(-time.Hour)
		if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid {
			t.Errorf("an hour earlier: got %+v, %v, want it to remain expired", v, err)
		}
		api.Advance(time.Hour)
		if v, err := c.ValidateLinkToken(t.Context(), other.Token); err != nil || !v.Valid || !v.ExpiresAt.Equal(other.ExpiresAt) {
			t.Errorf("other token: got %+v, %v, want it unchanged", v, err)
		}
	})
}

// The clock stops at its limits, so no advance makes an expired token valid again.
func TestAdvanceLimits(t *testing.T) {
	const longest, shortest = time.Duration(math.MaxInt64), time.Duration(math.MinInt64)
	for name, test := range map[string]struct {
		advances []time.Duration
		valid    bool
	}{
		"an hour, and half of it back":   {[]time.Duration{time.Hour, -30 * time.Minute}, false},
		"an hour back, and half of it":   {[]time.Duration{-time.Hour, 30 * time.Minute}, true},
		"a minute, and the longest":      {[]time.Duration{time.Minute, longest}, false},
		"a minute back, and both limits": {[]time.Duration{-time.Minute, shortest, longest}, true},
		"the longest":                    {[]time.Duration{longest}, false},
		"the longest twice":              {[]time.Duration{longest, longest}, false},
		"an hour and the longest":        {[]time.Duration{time.Hour, longest}, false},
		"the longest and 1 ns":           {[]time.Duration{longest, 1}, false},
		"the longest and back":           {[]time.Duration{longest, 1, -longest}, true},
		"the shortest":                   {[]time.Duration{shortest}, true},
		"the shortest twice":             {[]time.Duration{shortest, shortest}, true},
		"an hour back, and the shortest": {[]time.Duration{-time.Hour, shortest}, true},
		"the shortest, and 1 ns back":    {[]time.Duration{shortest, -1}, true},
		"the shortest, and forward":      {[]time.Duration{shortest, -1, longest, time.Hour}, false},
		"the shortest and the longest":   {[]time.Duration{shortest, longest}, true},
		"the longest and the shortest":   {[]time.Duration{longest, shortest}, true},
	} {
		t.Run(name, func(t *testing.T) {
			api := clienttest.NewAPI()
			token := api.Issue("c1", "w1")
			for _, d := range test.advances {
				api.Advance(d)
			}
			if v, err := newClient(t, api).ValidateLinkToken(t.Context(), token); err != nil || v.Valid != test.valid {
				t.Errorf("got %+v, %v, want valid %t", v, err, test.valid)
			}
		})
	}
}

// Every expiry is a time that package client accepts.
func TestExpiryLimits(t *testing.T) {
	for _, test := range []struct{ now, want time.Time }{
		{time.Unix(-1e9, 0), time.Unix(1, 0)},
		{time.Unix(-15*60, 0), time.Unix(1, 0)},
		{time.Unix(1-15*60, 0), time.Unix(1, 0)},
		{time.Unix(2-15*60, 0), time.Unix(2, 0)},
		{time.Date(9999, 12, 31, 23, 44, 59, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
	} {
		c := newClient(t, clienttest.NewAPI(clienttest.WithClock(func() time.Time { return test.now })))
		token := mustGenerate(t, c)
		v, err := c.ValidateLinkToken(t.Context(), token.Token)
		if err != nil || !token.ExpiresAt.Equal(test.want) || !v.ExpiresAt.Equal(test.want) || v.Valid != test.now.Before(test.want) {
			t.Errorf("at %v: got %v, then %+v, %v, want %v", test.now, token.ExpiresAt, v, err, test.want)
		}
	}
}

// Expire does not change the expiry of an expired token, and never sets one before
// 1970, which the contract does not allow.
func TestExpireLimits(t *testing.T) {
	now := time.Unix(-60, 0)
	api := clienttest.NewAPI(clienttest.WithClock(func() time.Time { return now }))
	c := newClient(t, api)
	token := mustGenerate(t, c)
	api.Expire(token.Token)
	if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid || v.ExpiresAt.Unix() != 1 {
		t.Errorf("before 1970: got %+v, %v, want expiry at Unix time 1", v, err)
	}
	token = mustGenerate(t, c)
	api.Advance(24 * time.Hour)
	api.Expire(token.Token)
	if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid || !v.ExpiresAt.Equal(token.ExpiresAt) {
		t.Errorf("after its expiry: got %+v, %v, want expiry at %v", v, err, token.ExpiresAt)
	}
}

func TestUnknownToken(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		if _, err := c.ValidateLinkToken(t.Context(), "lt_unknown"); !errors.Is(err, client.ErrBadRequest) {
			t.Errorf("got %v, want ErrBadRequest", err)
		}
	})
}

// A clock that calls the API must not cause a deadlock.
func TestClockMayCallTheAPI(t *testing.T) {
	var api *clienttest.API
	api = clienttest.NewAPI(clienttest.WithClock(func() time.Time {
		return time.Now().Add(time.Duration(len(api.Requests())) * time.Second)
	}))
	c := newClient(t, api)
	if v, err := c.ValidateLinkToken(t.Context(), mustGenerate(t, c).Token); err != nil || !v.Valid {
		t.Errorf("got %+v, %v", v, err)
	}
}
