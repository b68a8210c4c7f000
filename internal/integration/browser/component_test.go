package browser

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/evanw/esbuild/pkg/api"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// component renders Oneloop's key manager where the page of examples/backend shows how.
const component = `
	import { createRoot } from "react-dom/client";
	import { OneloopApiKeyManager } from "@oneloop-hq/react";

	window.render = token => createRoot(document.querySelector("figure")).render(
		<OneloopApiKeyManager
			token={token}
			title="API keys"
			description="Your keys for our API." />);
`

// bundle returns component with what it imports.
func bundle(t *testing.T) string {
	t.Helper()
	result := api.Build(api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: component, ResolveDir: ".", Loader: api.LoaderJSX},
		Bundle: true,
		JSX:    api.JSXAutomatic,
		Loader: map[string]api.Loader{".css": api.LoaderEmpty},
		Define: map[string]string{"process.env.NODE_ENV": `"production"`},
	})
	if len(result.Errors) > 0 || len(result.OutputFiles) != 1 {
		t.Fatalf("esbuild: %v", result.Errors)
	}
	return string(result.OutputFiles[0].Contents)
}

// oneloop stands in for prod.oneloop.ai. It passes requests on to fakeapi, with the
// SDK key: the component, which has none, sends the link token instead.
type oneloop struct {
	t        *testing.T
	baseURL  string // of fakeapi
	mu       sync.Mutex
	requests []string // those that have got a response
}

// serve responds to a request of the page.
func (o *oneloop) serve(p *page, e *fetch.EventRequestPaused) {
	status, body, received := http.StatusOK, []byte(nil), ""
	if e.Request.Method != http.MethodOptions {
		status, body, received = o.respond(e.Request)
	}
	_, err := chromedp.Call(p.ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{
		RequestID:    e.RequestID,
		ResponseCode: int64(status),
		ResponseHeaders: []*fetch.HeaderEntry{
			{Name: "Access-Control-Allow-Origin", Value: "*"},
			{Name: "Access-Control-Allow-Headers", Value: "*"},
			{Name: "Content-Type", Value: "application/json"},
		},
		Body: body,
	})
	if err != nil {
		o.t.Error(err)
	}
	if received != "" {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.requests = append(o.requests, received)
	}
}

// respond returns a response and a description of the request.
func (o *oneloop) respond(r *network.Request) (status int, body []byte, received string) {
	path := strings.TrimPrefix(r.URL, client.DefaultBaseURL)
	received = r.Method + " " + path
	for name, value := range r.Headers {
		if name = http.CanonicalHeaderKey(name); name == "X-Link-Token" || name == "Authorization" {
			received += fmt.Sprintf(" %s: %s", name, value)
		}
	}
	switch path { // the fake does not know these
	case "/api/v1/workspace/workspace_1/scopes":
		return http.StatusOK, []byte(`{"scopes":[]}`), received
	case "/api/v1/workspace/workspace_1/api-key":
		return http.StatusOK, []byte(`{"apiKeys":[]}`), received
	}
	req, err := http.NewRequestWithContext(o.t.Context(), r.Method, o.baseURL+path, nil)
	if err != nil {
		o.t.Error(err)
		return http.StatusBadGateway, nil, received
	}
	req.Header.Set("Authorization", "Bearer "+clienttest.SDKKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		o.t.Error(err)
		return http.StatusBadGateway, nil, received
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		o.t.Error(err)
	}
	return resp.StatusCode, body, received
}

// received returns the requests, sorted, as soon as there are n responses.
func (o *oneloop) received(n int) []string {
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		o.mu.Lock()
		requests := slices.Sorted(slices.Values(o.requests))
		o.mu.Unlock()
		if len(requests) >= n || time.Now().After(end) {
			return requests
		}
	}
}

// TestComponent gives Oneloop's own key manager the link token that examples/backend
// responds with.
func TestComponent(t *testing.T) {
	t.Parallel()
	o := &oneloop{t: t, baseURL: start(t, nil, "ONELOOP_BASE_URL=", "fakeapi", "-key", clienttest.SDKKey)}
	env := []string{"ONELOOP_BASE_URL=" + o.baseURL, "ONELOOP_SDK_KEY=" + clienttest.SDKKey}
	backend := start(t, env, "Open ", "backend")

	p := newPage(t, desktop)
	err := chromedp.Listen(p.ctx, func(event any) {
		if e, ok := event.(*fetch.EventRequestPaused); ok {
			go o.serve(p, e) // a listener must not wait for the browser
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(p, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: client.DefaultBaseURL + "/*"}}})
	call(p, cdppage.SetBypassCSP, cdppage.SetBypassCSPParams{Enabled: true}) // the page's policy is for the page alone
	p.do(chromedp.Navigate(backend), chromedp.Evaluate[chromedp.Void](bundle(t)))
	token := evaluate[string](p, `fetch('link-token', { method: 'POST' }).then(response => response.json()).then(({ token }) => {
		render(token);
		return token;
	})`)
	p.until("document.querySelector('figure').innerText.includes('Create secret key')")

	want := []string{
		"GET /api/v1/link-token/" + token + " X-Link-Token: " + token,
		"GET /api/v1/workspace/workspace_1/api-key X-Link-Token: " + token,
		"GET /api/v1/workspace/workspace_1/scopes X-Link-Token: " + token,
	}
	if got := o.received(len(want)); !slices.Equal(got, want) {
		t.Errorf("Oneloop received\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	resp, err := http.Get(o.baseURL + "/_fake/requests")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var requests []clienttest.Request
	if err := json.NewDecoder(resp.Body).Decode(&requests); err != nil {
		t.Fatal(err)
	}
	if want := []clienttest.Request{
		{Operation: "generateLinkToken", CustomerID: "customer_1", WorkspaceID: "workspace_1"},
		{Operation: "validateLinkToken", LinkToken: token},
	}; !slices.Equal(requests, want) {
		t.Errorf("the fake received %+v, want %+v", requests, want)
	}
}
