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

// A GenerateLinkTokenRequest says for whom a link token is made. All fields must
// be valid UTF-8; the contract sets no other limit.
type GenerateLinkTokenRequest struct {
	CustomerID        string `json:"customerId"`                  // required
	WorkspaceID       string `json:"workspaceId"`                 // required
	ExternalBillingID string `json:"externalBillingId,omitempty"` // optional; "" is not sent
}

// A LinkToken is a short-lived secret. Printing or logging it does not show the
// token; encoding it as JSON does, because that is how a front end gets it.
type LinkToken struct {
	Token string `json:"token"`
	// ExpiresAt is in UTC. Oneloop doesn't document the unit of the number that it
	// sends: 1e11 and more is taken as milliseconds since 1970, less as seconds.
	ExpiresAt time.Time `json:"expiresAt"`
}

// Format prints when the token expires, and never the token, for every verb.
func (t LinkToken) Format(f fmt.State, verb rune) {
	formatText(f, verb, "link token "+redacted+" until "+t.ExpiresAt.Format(time.RFC3339))
}

// LogValue makes log/slog log when the token expires, and never the token.
func (t LinkToken) LogValue() slog.Value {
	return slog.GroupValue(slog.String("token", redacted), slog.Time("expiresAt", t.ExpiresAt))
}

// GenerateLinkToken makes a link token for a customer and a workspace.
//
// If CustomerID or WorkspaceID is empty, or a field is not valid UTF-8, the error
// is ErrInvalidArgument and nothing is sent. An answer outside 2xx is an
// *ErrorResponse, and a 2xx that breaks the contract ErrMalformedResponse. After
// an outcome in which Oneloop may have made a token, the call is retried at most
// once. What that can leave behind is one token that nobody knows and that
// expires by itself.
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
	}, &result[gen.GenerateLinkTokenResponse, LinkToken]{
		fields:   linkTokenFields,
		required: 2,
		convert:  newLinkToken,
	})
}

var linkTokenFields = []string{"token", "expiresAt"}

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
