package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oneloop-ai/oneloop-go/gen"
)

// maxLinkToken is the largest length of a link token in bytes. Servers refuse
// URLs that are much longer.
const maxLinkToken = 4 << 10

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

// ValidateLinkToken asks whether linkToken is valid, and whose it is. An invalid
// token is not an error: check Valid.
//
// If linkToken is empty, ".", "..", longer than 4 KiB, or not valid UTF-8, or
// contains a slash, a backslash or a control character, the error is
// ErrInvalidArgument and nothing is sent: such a token could reach another path
// of the API. An answer outside 2xx is an *ErrorResponse. A 2xx that breaks the
// contract is ErrMalformedResponse, and so is one that calls the token valid
// without naming its workspace and customer.
func (c *Client) ValidateLinkToken(ctx context.Context, linkToken string) (*LinkTokenValidation, error) {
	const operation = "validateLinkToken"
	if err := checkLinkToken(operation, linkToken); err != nil {
		return nil, err
	}
	return do(ctx, c, operation, linkToken, func(api *gen.Client) (*http.Response, error) {
		return api.ValidateLinkToken(ctx, linkToken)
	}, &result[gen.ValidateLinkTokenResponse, LinkTokenValidation]{
		fields:   linkTokenValidationFields,
		required: 4,
		convert:  newLinkTokenValidation,
	})
}

var linkTokenValidationFields = []string{"valid", "expiresAt", "workspaceId", "customerId", "externalBillingId"}

// checkLinkToken refuses tokens that might not reach the server as one path
// segment.
func checkLinkToken(operation, linkToken string) error {
	switch {
	case linkToken == "":
		return invalid(operation, "linkToken is empty")
	case linkToken == "." || linkToken == "..":
		return invalid(operation, "linkToken is a dot segment")
	case len(linkToken) > maxLinkToken:
		return invalid(operation, "linkToken is longer than 4 KiB")
	case !utf8.ValidString(linkToken):
		return invalid(operation, "linkToken is not valid UTF-8")
	case strings.ContainsAny(linkToken, `/\`):
		return invalid(operation, "linkToken has a slash or backslash")
	case strings.ContainsFunc(linkToken, unicode.IsControl):
		return invalid(operation, "linkToken has control characters")
	}
	return nil
}

func newLinkTokenValidation(wire *gen.ValidateLinkTokenResponse) (*LinkTokenValidation, error) {
	switch {
	case wire.Valid == nil:
		return nil, missing("valid")
	case wire.WorkspaceID == nil:
		return nil, missing("workspaceId")
	case wire.CustomerID == nil:
		return nil, missing("customerId")
	case *wire.Valid && *wire.WorkspaceID == "":
		return nil, errors.New("valid is true, but workspaceId is empty")
	case *wire.Valid && *wire.CustomerID == "":
		return nil, errors.New("valid is true, but customerId is empty")
	}
	expiresAt, err := parseEpoch("expiresAt", wire.ExpiresAt)
	if err != nil {
		return nil, err
	}
	v := &LinkTokenValidation{
		Valid:       *wire.Valid,
		ExpiresAt:   expiresAt,
		WorkspaceID: *wire.WorkspaceID,
		CustomerID:  *wire.CustomerID,
	}
	if wire.ExternalBillingID != nil {
		v.ExternalBillingID = *wire.ExternalBillingID
	}
	return v, nil
}
