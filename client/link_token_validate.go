package client

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/oneloop-ai/oneloop-go/gen"
)

// maxLinkToken is the largest length of a link token. Servers refuse requests, and
// some even cut off connections, whose paths are much longer.
const maxLinkToken = 2 << 10

// A LinkTokenValidation is what Oneloop says about a link token.
type LinkTokenValidation struct {
	// Valid decides. If it is false, the token must not be accepted, whatever the
	// other fields are; they may be empty. If it is true, there is no need to
	// check ExpiresAt: Oneloop has done that.
	Valid bool `json:"valid"`
	// ExpiresAt is in UTC. Oneloop doesn't document the unit of the number that it
	// sends: 1e11 and more is taken as milliseconds since 1970, less as seconds.
	ExpiresAt         time.Time `json:"expiresAt"`
	WorkspaceID       string    `json:"workspaceId"`                 // not empty if Valid
	CustomerID        string    `json:"customerId"`                  // not empty if Valid
	ExternalBillingID string    `json:"externalBillingId,omitempty"` // "" if the token was made without one
}

// ValidateLinkToken returns whether linkToken is valid, and whose it is. An
// invalid token is not an error: check Valid.
//
// A link token has 1 to 2,048 of the characters that RFC 3986 allows unescaped in
// a path segment, which are letters, digits and -._~!$&'()*+,;=:@, and is neither
// "." nor "..". For anything else the error is ErrInvalidArgument and nothing is
// sent. A response outside 2xx is an *ErrorResponse. A 2xx that breaks the contract
// is ErrMalformedResponse, and so is one that reports the token as valid without
// naming its workspace and customer.
func (c *Client) ValidateLinkToken(ctx context.Context, linkToken string) (*LinkTokenValidation, error) {
	call := &call{operation: "validateLinkToken", linkToken: linkToken, decode: decodeLinkTokenValidation}
	result, err := c.do(ctx, call, linkTokenProblem("linkToken", linkToken), func(ctx context.Context) (*http.Response, error) {
		return c.api.ValidateLinkToken(ctx, linkToken)
	})
	validation, _ := result.(*LinkTokenValidation)
	return validation, err
}

// linkTokenProblem returns what is wrong with a link token, or "".
func linkTokenProblem(name, token string) string {
	switch {
	case token == "":
		return name + " is empty"
	case token == "." || token == "..":
		return name + ` is "." or ".."`
	case len(token) > maxLinkToken:
		return name + " is longer than 2,048 characters"
	case strings.ContainsFunc(token, needsEscape):
		return name + " has a character that is not allowed"
	}
	return ""
}

// needsEscape reports whether RFC 3986 does not allow r in a path segment as it is.
// Gateways may decode an escaped character twice.
func needsEscape(r rune) bool {
	isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !isLetter && !strings.ContainsRune("0123456789-._~!$&'()*+,;=:@", r)
}

func decodeLinkTokenValidation(header http.Header, body []byte) (any, error) {
	var wire gen.ValidateLinkTokenResponse
	err := cmp.Or(
		decodeObject(header, body, &wire),
		required("valid", "a boolean", &wire.Valid),
		required("expiresAt", "an integer", &wire.ExpiresAt),
		required("workspaceId", "a string", &wire.WorkspaceID),
		required("customerId", "a string", &wire.CustomerID),
		optional("externalBillingId", "a string", &wire.ExternalBillingID),
	)
	switch {
	case err != nil:
		return nil, err
	case wire.Valid.Value && (wire.WorkspaceID.Value == "" || wire.CustomerID.Value == ""):
		return nil, errors.New("valid is true, but workspaceId or customerId is empty")
	}
	expiresAt, err := parseEpoch("expiresAt", wire.ExpiresAt.Value)
	if err != nil {
		return nil, err
	}
	return &LinkTokenValidation{
		Valid:             wire.Valid.Value,
		ExpiresAt:         expiresAt,
		WorkspaceID:       wire.WorkspaceID.Value,
		CustomerID:        wire.CustomerID.Value,
		ExternalBillingID: wire.ExternalBillingID.Value,
	}, nil
}
