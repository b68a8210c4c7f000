package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/gen"
)

// A GenerateLinkTokenRequest names the customer and the workspace that a link token
// is for. All fields must be valid UTF-8. The contract sets no other limits.
type GenerateLinkTokenRequest struct {
	CustomerID        string `json:"customerId"`                  // required
	WorkspaceID       string `json:"workspaceId"`                 // required
	ExternalBillingID string `json:"externalBillingId,omitempty"` // optional; not sent if empty
}

// A LinkToken is a short-lived secret. Printing or logging it does not show the
// token. Encoding it as JSON does, so that a backend can send it to its front end.
type LinkToken struct {
	Token string `json:"token"`
	// ExpiresAt is in UTC. Oneloop sends a Unix time but doesn't document its unit:
	// values of 1e11 and above are taken as milliseconds, smaller ones as seconds.
	ExpiresAt time.Time `json:"expiresAt"`
}

// Format implements fmt.Formatter. For every verb, it prints the time at which the
// token expires and never the token.
func (t LinkToken) Format(f fmt.State, verb rune) {
	formatText(f, verb, "link token "+redacted+" until "+t.ExpiresAt.Format(time.RFC3339))
}

// LogValue implements slog.LogValuer. It returns the time at which the token
// expires and never the token.
func (t LinkToken) LogValue() slog.Value {
	return slog.GroupValue(slog.String("token", redacted), slog.Time("expiresAt", t.ExpiresAt))
}

// GenerateLinkToken requests a link token for a customer and a workspace.
//
// If CustomerID or WorkspaceID is empty, or a field is not valid UTF-8, the error
// matches ErrInvalidArgument and nothing is sent. A response outside 2xx is
// returned as an *ErrorResponse. The error matches ErrMalformedResponse if a 2xx
// response breaks the contract, or if ValidateLinkToken would refuse its token.
//
// If Oneloop may have created a token that the Client did not receive, the call is
// retried at most once. This can leave one unused token, which expires on its own.
func (c *Client) GenerateLinkToken(ctx context.Context, req GenerateLinkTokenRequest) (*LinkToken, error) {
	call := &call{operation: "generateLinkToken", decode: decodeLinkToken}
	result, err := c.do(ctx, call, req.problem(), func(ctx context.Context) (*http.Response, error) {
		return c.api.GenerateLinkToken(ctx, gen.GenerateLinkTokenRequest(req))
	})
	token, _ := result.(*LinkToken)
	return token, err
}

// problem says why the request is not valid. It returns "" if it is.
func (r *GenerateLinkTokenRequest) problem() string {
	switch {
	case r.CustomerID == "":
		return "CustomerID is empty"
	case r.WorkspaceID == "":
		return "WorkspaceID is empty"
	case !utf8.ValidString(r.CustomerID):
		return "CustomerID is not valid UTF-8"
	case !utf8.ValidString(r.WorkspaceID):
		return "WorkspaceID is not valid UTF-8"
	case !utf8.ValidString(r.ExternalBillingID):
		return "ExternalBillingID is not valid UTF-8"
	}
	return ""
}

func decodeLinkToken(header http.Header, body []byte) (any, error) {
	var wire gen.GenerateLinkTokenResponse
	err := cmp.Or(
		decodeObject(header, body, &wire),
		required("token", "a string", &wire.Token),
		required("expiresAt", "an integer", &wire.ExpiresAt),
	)
	if err != nil {
		return nil, err
	}
	if problem := linkTokenProblem("token", wire.Token.Value); problem != "" {
		return nil, errors.New(problem)
	}
	expiresAt, err := parseEpoch("expiresAt", wire.ExpiresAt.Value)
	if err != nil {
		return nil, err
	}
	return &LinkToken{Token: wire.Token.Value, ExpiresAt: expiresAt}, nil
}
