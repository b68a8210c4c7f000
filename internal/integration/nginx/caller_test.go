package nginx

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
)

// A caller is a client under test. Each call has an id, which it sends as its SDK
// key.
type caller interface {
	generate(ctx context.Context, id string) error
	validate(ctx context.Context, id string) error
	close()
}

// A kind is a client that every scenario uses. Its function creates a caller for the
// server at baseURL.
type kind struct {
	name      string
	newCaller func(t *testing.T, baseURL string, policy client.RetryPolicy) caller
}

var kinds = []kind{{sdkName, newSDK}, {"net/http", newPlain}}

const sdkName = "SDK"

// sdk is the SDK with its own transport.
type sdk struct{ client *client.Client }

type idKey struct{}

func newSDK(t *testing.T, baseURL string, policy client.RetryPolicy) caller {
	t.Helper()
	key := func(ctx context.Context) (string, error) { return ctx.Value(idKey{}).(string), nil }
	c, err := client.New("", client.WithKeySource(key), client.WithBaseURL(baseURL), client.WithRetryPolicy(policy))
	if err != nil {
		t.Fatal(err)
	}
	return sdk{c}
}

func (s sdk) generate(ctx context.Context, id string) error {
	token, err := s.client.GenerateLinkToken(context.WithValue(ctx, idKey{}, id),
		client.GenerateLinkTokenRequest{CustomerID: id, WorkspaceID: "w1"})
	if err == nil && token.Token != id {
		return fmt.Errorf("call %s received the response to %s", id, token.Token)
	}
	return err
}

func (s sdk) validate(ctx context.Context, id string) error {
	v, err := s.client.ValidateLinkToken(context.WithValue(ctx, idKey{}, id), id)
	if err == nil && (!v.Valid || v.CustomerID != id) {
		return fmt.Errorf("call %s received the response to %s", id, v.CustomerID)
	}
	return err
}

func (s sdk) close() { s.client.CloseIdleConnections() }

// plain is a client as one would write it by hand: net/http with a timeout and enough
// idle connections, without retries.
type plain struct {
	client  *http.Client
	baseURL string
}

func newPlain(t *testing.T, baseURL string, policy client.RetryPolicy) caller {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1000
	timeout := policy.AttemptTimeout
	if timeout == 0 {
		timeout = 8 * time.Second // the SDK's default
	}
	return plain{&http.Client{Transport: transport, Timeout: timeout}, baseURL}
}

func (p plain) generate(ctx context.Context, id string) error {
	body, err := json.Marshal(map[string]string{"customerId": id, "workspaceId": "w1"})
	if err != nil {
		return err
	}
	return p.send(ctx, http.MethodPost, p.baseURL+"/api/v1/link-token", bytes.NewReader(body), id)
}

func (p plain) validate(ctx context.Context, id string) error {
	return p.send(ctx, http.MethodGet, p.baseURL+"/api/v1/link-token/"+id, nil, id)
}

func (p plain) send(ctx context.Context, method, url string, body io.Reader, id string) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+id)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, resp.Body)
		return fmt.Errorf("status %s", resp.Status)
	}
	var fields map[string]any
	return json.NewDecoder(resp.Body).Decode(&fields)
}

func (p plain) close() { p.client.CloseIdleConnections() }
