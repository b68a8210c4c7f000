package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/gen"
)

// GenerateLinkTokenRequest says for whom a link token is made. The strings are
// the caller's own names; they must be valid UTF-8.
type GenerateLinkTokenRequest struct {
	CustomerID        string `json:"customerId"`                  // required
	WorkspaceID       string `json:"workspaceId"`                 // required
	ExternalBillingID string `json:"externalBillingId,omitempty"` // optional: "" is not sent
}

// LinkToken is a short-lived secret. Encoding it as JSON carries the token, as
// a front end needs it; printing or logging it does not.
type LinkToken struct {
	Token string `json:"token"`
	// ExpiresAt is in UTC. The contract's number has no documented unit: from
	// 1e11 on it is read as milliseconds since 1970, below as seconds.
	ExpiresAt time.Time `json:"expiresAt"`
}

// Format prints when the token expires for every verb, and never the token.
func (t LinkToken) Format(f fmt.State, verb rune) {
	formatText(f, verb, "link token "+redacted+" until "+t.ExpiresAt.Format(time.RFC3339))
}

// LogValue logs when the token expires, and never the token.
func (t LinkToken) LogValue() slog.Value {
	return slog.GroupValue(slog.String("token", redacted), slog.Time("expiresAt", t.ExpiresAt))
}

// GenerateLinkToken makes a link token for a customer and a workspace.
//
// It is refused with ErrInvalidArgument, and nothing is sent, where CustomerID
// or WorkspaceID is empty or a field is not valid UTF-8. Answers outside 2xx
// are an *ErrorResponse; a 2xx that does not keep the contract is an
// ErrMalformedResponse. A retry after an outcome in which Oneloop may have made
// a token happens at most once per call: what it can leave behind is one token
// that nobody has and that expires by itself.
func (c *Client) GenerateLinkToken(ctx context.Context, req GenerateLinkTokenRequest) (*LinkToken, error) {
	const operation = "generateLinkToken"
	switch {
	case req.CustomerID == "":
		return nil, invalid(operation, "CustomerID is empty")
	case req.WorkspaceID == "":
		return nil, invalid(operation, "WorkspaceID is empty")
	case !utf8.ValidString(req.CustomerID):
		return nil, invalid(operation, "CustomerID is not valid UTF-8")
	case !utf8.ValidString(req.WorkspaceID):
		return nil, invalid(operation, "WorkspaceID is not valid UTF-8")
	case !utf8.ValidString(req.ExternalBillingID):
		return nil, invalid(operation, "ExternalBillingID is not valid UTF-8")
	}
	return do(ctx, c, operation, "", func(api *gen.Client) (*http.Response, error) {
		return api.GenerateLinkToken(ctx, gen.GenerateLinkTokenRequest{
			CustomerID:        req.CustomerID,
			WorkspaceID:       req.WorkspaceID,
			ExternalBillingID: req.ExternalBillingID,
		})
	}, newLinkToken, "token", "expiresAt")
}

func newLinkToken(wire *gen.GenerateLinkTokenResponse) (*LinkToken, error) {
	if wire.Token == nil {
		return nil, missing("token")
	}
	if *wire.Token == "" {
		return nil, errors.New("token is empty")
	}
	expiresAt, err := parseEpoch("expiresAt", wire.ExpiresAt)
	if err != nil {
		return nil, err
	}
	return &LinkToken{Token: *wire.Token, ExpiresAt: expiresAt}, nil
}
