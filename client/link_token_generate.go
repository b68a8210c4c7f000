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
// is ErrInvalidArgument and nothing is sent. A response outside 2xx is an
// *ErrorResponse, and a 2xx that breaks the contract ErrMalformedResponse; so is a
// token that ValidateLinkToken would refuse. If Oneloop may have made a token
// without the Client receiving it, the call is retried at most once. That can leave
// behind one token that nobody knows and that expires on its own.
func (c *Client) GenerateLinkToken(ctx context.Context, req GenerateLinkTokenRequest) (*LinkToken, error) {
	call := &call{operation: "generateLinkToken", decode: decodeLinkToken}
	result, err := c.do(ctx, call, req.problem(), func(ctx context.Context) (*http.Response, error) {
		return c.api.GenerateLinkToken(ctx, gen.GenerateLinkTokenRequest(req))
	})
	token, _ := result.(*LinkToken)
	return token, err
}

// problem returns what is wrong with the request, or "".
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
