package clienttest_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func TestFaults(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c).Token
		validate := func() error {
			_, err := c.ValidateLinkToken(t.Context(), token)
			return err
		}
		response := func(err error) *client.ErrorResponse {
			t.Helper()
			var e *client.ErrorResponse
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *ErrorResponse", err)
			}
			return e
		}
		for name, test := range map[string]struct {
			fault clienttest.Fault
			check func(error) bool
		}{
			"403": {clienttest.Status(403), func(err error) bool {
				e := response(err)
				return errors.Is(err, client.ErrForbidden) && e.Code == 403 && e.Message == "Forbidden"
			}},
			"503 with Retry-After": {clienttest.StatusRetryAfter(503, 1500*time.Millisecond), func(err error) bool { return response(err).RetryAfter == 2*time.Second }},
			"redirect":             {clienttest.Response(302, http.Header{"Location": {"/"}}, ""), func(err error) bool { return response(err).StatusCode == 302 }},
			"no content":           {clienttest.Response(204, nil, `{"valid":true,"expiresAt":1,"workspaceId":"w","customerId":"c"}`), func(err error) bool { return errors.Is(err, client.ErrMalformedResponse) }},
			"HTML":                 {clienttest.Response(200, http.Header{"Content-Type": {"text/html"}}, "<html>"), func(err error) bool { return errors.Is(err, client.ErrMalformedResponse) }},
			"no content type":      {clienttest.Response(200, http.Header{"Content-Type": nil}, "{}"), func(err error) bool { return errors.Is(err, client.ErrMalformedResponse) }},
			"a field missing":      {clienttest.Response(200, nil, `{"valid":true}`), func(err error) bool { return strings.Contains(err.Error(), "expiresAt") }},
			"other valid body": {clienttest.Response(200, nil, `{"valid":true,"expiresAt":1,"workspaceId":"w","customerId":"c"}`),
				func(err error) bool { return err == nil }},
			"cut": {clienttest.Cut(), func(err error) bool {
				var e *client.ErrorResponse
				return err != nil && !errors.As(err, &e)
			}},
			"delay":      {clienttest.Delay(time.Millisecond), func(err error) bool { return err == nil }},
			"status 599": {clienttest.Status(599), func(err error) bool { return response(err).StatusCode == 599 }},
		} {
			api.Queue(test.fault)
			if err := validate(); !test.check(err) {
				t.Errorf("%s: got %v", name, err)
			}
			if err := validate(); err != nil {
				t.Errorf("after %s: got %v", name, err)
			}
		}
		api.Queue(clienttest.Status(500), clienttest.Status(503))
		api.Queue(clienttest.Status(429))
		for _, want := range []int{500, 503, 429} {
			if got := response(validate()).StatusCode; got != want {
				t.Errorf("got %d, want %d: faults apply in order", got, want)
			}
		}
	})
}

// The response to the first attempt is cut, but its token exists. The retry generates
// another one.
func TestCutResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		generated := 0
		api := clienttest.NewAPI(clienttest.WithClock(func() time.Time { generated++; return time.Now() }))
		api.Queue(clienttest.CutResponse())
		if _, err := newClient(t, api).GenerateLinkToken(t.Context(), request); err != nil || generated != 2 {
			t.Errorf("got %v and %d link tokens, want 2", err, generated)
		}
		api.Queue(clienttest.Cut())
		if _, err := newClient(t, api).GenerateLinkToken(t.Context(), request); err != nil || generated != 3 {
			t.Errorf("got %v and %d link tokens, want 3", err, generated)
		}
	})
}

func TestSilence(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		api.Queue(clienttest.Silence())
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := c.GenerateLinkToken(ctx, request); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOn(t *testing.T) {
	bothWays(t, func(t *testing.T, api *clienttest.API, c *client.Client) {
		token := mustGenerate(t, c).Token
		generate := func() int { _, err := c.GenerateLinkToken(t.Context(), request); return status(err) }
		validate := func() int { _, err := c.ValidateLinkToken(t.Context(), token); return status(err) }

		onValidate := func(f clienttest.Fault) clienttest.Fault { return f.On("validateLinkToken") }
		api.Queue(onValidate(clienttest.Status(500)), onValidate(clienttest.Status(502)), clienttest.Status(503), clienttest.Status(403).On("generateLinkToken"))
		want := []int{503, 403, 200, 500, 502, 200}
		if got := []int{generate(), generate(), generate(), validate(), validate(), validate()}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}

		// A fault with Always hides later faults for the same operation, and no others.
		api.Queue(onValidate(clienttest.Status(500)).Always(), onValidate(clienttest.Status(502)), clienttest.Status(403).Always().On("generateLinkToken"))
		want = []int{500, 403, 500, 500, 403}
		if got := []int{validate(), generate(), validate(), validate(), generate()}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		api.ClearFaults()
		want = []int{200, 200}
		if got := []int{validate(), generate()}; !slices.Equal(got, want) {
			t.Errorf("after ClearFaults got %v, want %v", got, want)
		}
	})
}

// On and Always do not change the fault that they are called on.
func TestFaultsAreValues(t *testing.T) {
	once503 := clienttest.Status(503)
	_ = once503.Always().On("generateLinkToken")
	api := clienttest.NewAPI()
	api.Queue(once503)
	c := newClient(t, api, once)
	for _, want := range []int{503, 400} {
		if _, err := c.ValidateLinkToken(t.Context(), "lt_unknown"); status(err) != want {
			t.Errorf("got %v, want %d", err, want)
		}
	}
}

func TestDelayContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := clienttest.NewAPI()
		api.Queue(clienttest.Delay(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := newClient(t, api).GenerateLinkToken(ctx, request); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want DeadlineExceeded", err)
		}
		if got := time.Since(start); got != time.Second {
			t.Errorf("the call took %v, want 1s", got)
		}
	})
}

// Retries, waits, timeouts and expiry use the bubble's clock.
func TestInSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := clienttest.NewAPI()
		c := newClient(t, api)
		start := time.Now()
		api.Queue(clienttest.Silence(), clienttest.StatusRetryAfter(503, 5*time.Second), clienttest.Delay(time.Second))
		token, err := c.GenerateLinkToken(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got < 14*time.Second || got > 15*time.Second {
			t.Errorf("the call took %v, want 8 s of silence, 5 s of waiting, and 1 s of delay", got)
		}
		time.Sleep(time.Until(token.ExpiresAt) - 1)
		if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || !v.Valid {
			t.Errorf("before it expires: %+v, %v", v, err)
		}
		time.Sleep(time.Nanosecond) // until ExpiresAt
		if v, err := c.ValidateLinkToken(t.Context(), token.Token); err != nil || v.Valid {
			t.Errorf("when it expires: %+v, %v", v, err)
		}
	})
}

// Silence ends when the client disconnects, even if the body was not JSON.
func TestSilenceOnSocket(t *testing.T) {
	api := clienttest.NewAPI()
	server := httptest.NewServer(api)
	defer server.Close() // waits for the handler
	api.Queue(clienttest.Silence())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/v1/link-token", strings.NewReader("not JSON"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Error("got a response")
	}
}

func TestRetryAfterLimits(t *testing.T) {
	api := clienttest.NewAPI()
	api.Queue(clienttest.StatusRetryAfter(503, 1<<63-1), clienttest.StatusRetryAfter(503, -time.Hour))
	c := newClient(t, api, once)
	for _, want := range []struct {
		header string
		wait   time.Duration
	}{{"9223372037", 1<<63 - 1}, {"0", 0}} {
		_, err := c.GenerateLinkToken(t.Context(), request)
		var e *client.ErrorResponse
		if !errors.As(err, &e) || e.RetryAfter != want.wait || e.Header.Get("Retry-After") != want.header {
			t.Errorf("got %v with RetryAfter %v from %q, want %v from %q", err, e.RetryAfter, e.Header.Get("Retry-After"), want.wait, want.header)
		}
	}
}
