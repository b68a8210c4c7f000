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
	"github.com/oneloop-ai/oneloop-go/internal/wire"
)

// A GenerateLinkTokenRequest names the customer and the workspace that a link token
// is for. All fields must be valid UTF-8. The contract sets no other limits.
type GenerateLinkTokenRequest struct {
	CustomerID        string `json:"customerId"`                  // required
	WorkspaceID       string `json:"workspaceId"`                 // required
	ExternalBillingID string `json:"externalBillingId,omitempty"` // optional; not sent if empty
}

// A LinkToken is a short-lived secret. Printing it, or logging it with log/slog, does
// not show the token. Encoding it as JSON does, so that a backend can send it to its
// front end; loggers that encode values as JSON show it, too.
type LinkToken struct {
	Token string `json:"token"`
	// ExpiresAt is in UTC. Oneloop sends a Unix time but doesn't document its unit:
	// values of 1e11 and above are taken as milliseconds, smaller ones as seconds.
	ExpiresAt time.Time `json:"expiresAt"`
}

// String returns the time at which the token expires, and never the token. Loggers
// such as zap call it.
func (t LinkToken) String() string {
	return "link token " + redacted + " until " + t.ExpiresAt.Format(time.RFC3339)
}

// Format implements [fmt.Formatter]. It prints what String returns.
func (t LinkToken) Format(f fmt.State, verb rune) { formatText(f, verb, t.String()) }

// LogValue implements [slog.LogValuer]. It returns the time at which the token
// expires, and never the token.
func (t LinkToken) LogValue() slog.Value {
	return slog.GroupValue(slog.String("token", redacted), slog.Time("expiresAt", t.ExpiresAt))
}

// GenerateLinkToken requests a link token for a customer and a workspace.
//
// If CustomerID or WorkspaceID is empty, or a field is not valid UTF-8, the error
// matches [ErrInvalidArgument] and nothing is sent. A response outside 2xx is
// returned as an [*ErrorResponse]. The error matches [ErrMalformedResponse] if a 2xx
// response does not conform to the contract, or if [Client.ValidateLinkToken] would
// reject its token.
//
// If Oneloop may have created a token that the Client did not receive, the call is
// retried at most once. This can leave one unused token, which expires on its own.
func (c *Client) GenerateLinkToken(ctx context.Context, req GenerateLinkTokenRequest) (*LinkToken, error) {
	if problem := req.problem(); problem != "" {
		return nil, invalid("generateLinkToken", problem)
	}
	var token LinkToken
	err := c.do(ctx, call{
		operation: "generateLinkToken",
		request: func(ctx context.Context, baseURL string) (*http.Request, error) {
			return gen.NewGenerateLinkTokenRequest(ctx, baseURL, gen.GenerateLinkTokenRequest(req))
		},
		decode: func(header http.Header, body []byte) (err error) {
			token, err = decodeLinkToken(header, body)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return &token, nil
}

// problem says why the request is not valid. It returns "" if it is.
func (r GenerateLinkTokenRequest) problem() string {
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

func decodeLinkToken(header http.Header, body []byte) (token LinkToken, err error) {
	var response gen.GenerateLinkTokenResponse
	if err := wire.Decode(header, body, &response); err != nil {
		return token, err
	}
	token.Token = response.Token.Value
	if !isLinkToken(token.Token) {
		return token, errors.New("token " + notLinkToken)
	}
	token.ExpiresAt, err = parseEpoch("expiresAt", response.ExpiresAt.Value)
	return token, err
}
