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

// maxLinkToken is the largest length of a link token, in bytes. Servers refuse much
// longer paths, and some even close the connection.
const maxLinkToken = 2 << 10

// A LinkTokenValidation is the result of validating a link token.
type LinkTokenValidation struct {
	// Valid reports whether to accept the token. If it is false, reject the token,
	// whatever the other fields contain; they may be empty. If it is true, there is
	// no need to check ExpiresAt, because Oneloop has done so.
	Valid bool `json:"valid"`
	// ExpiresAt is in UTC. Oneloop sends a Unix time but doesn't document its unit:
	// values of 1e11 and above are taken as milliseconds, smaller ones as seconds.
	ExpiresAt         time.Time `json:"expiresAt"`
	WorkspaceID       string    `json:"workspaceId"`                 // not empty if Valid
	CustomerID        string    `json:"customerId"`                  // not empty if Valid
	ExternalBillingID string    `json:"externalBillingId,omitempty"` // empty if the token has none
}

// ValidateLinkToken asks Oneloop whether linkToken is valid and which customer and
// workspace it belongs to. An invalid token is not an error: check Valid.
//
// A link token consists of 1 to 2,048 of the characters that RFC 3986 allows
// unescaped in a path segment: letters, digits and -._~!$&'()*+,;=:@. It is neither
// "." nor "..". If linkToken is anything else, the error matches ErrInvalidArgument
// and nothing is sent. A response outside 2xx is returned as an *ErrorResponse. The
// error matches ErrMalformedResponse if a 2xx response breaks the contract, or if
// it reports the token as valid without naming its workspace and customer.
func (c *Client) ValidateLinkToken(ctx context.Context, linkToken string) (*LinkTokenValidation, error) {
	call := &call{operation: "validateLinkToken", linkToken: linkToken, decode: decodeLinkTokenValidation}
	result, err := c.do(ctx, call, linkTokenProblem("linkToken", linkToken), func(ctx context.Context) (*http.Response, error) {
		return c.api.ValidateLinkToken(ctx, linkToken)
	})
	validation, _ := result.(*LinkTokenValidation)
	return validation, err
}

// linkTokenProblem says why a link token is not acceptable. It returns "" if it is.
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

// needsEscape reports whether RFC 3986 requires r to be escaped in a path segment.
// Link tokens must not have such characters, because gateways may decode them twice.
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
