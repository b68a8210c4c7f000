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

// maxLinkToken bounds the URL's length: servers refuse longer ones anyway.
const maxLinkToken = 4 << 10

// LinkTokenValidation is what Oneloop knows of a link token.
type LinkTokenValidation struct {
	// Valid decides: false means that the token must not be accepted, and that
	// the other fields may be empty.
	Valid bool `json:"valid"`
	// ExpiresAt is in UTC. The contract's number has no documented unit: from
	// 1e11 on it is read as milliseconds since 1970, below as seconds.
	ExpiresAt         time.Time `json:"expiresAt"`
	WorkspaceID       string    `json:"workspaceId"`                 // never empty where Valid
	CustomerID        string    `json:"customerId"`                  // never empty where Valid
	ExternalBillingID string    `json:"externalBillingId,omitempty"` // "" where the token was made without
}

// ValidateLinkToken asks whether linkToken is valid, and whose it is. A token
// that Oneloop calls invalid is no error: look at Valid.
//
// It is refused with ErrInvalidArgument, and nothing is sent, where linkToken
// is empty, ".", "..", longer than 4 KiB or not valid UTF-8, or has a slash, a
// backslash or a control character: such a token could reach another path of
// the API. Answers outside 2xx are an *ErrorResponse. A 2xx that does not keep
// the contract is an ErrMalformedResponse, and so is one that calls the token
// valid without naming its workspace and customer.
func (c *Client) ValidateLinkToken(ctx context.Context, linkToken string) (*LinkTokenValidation, error) {
	const operation = "validateLinkToken"
	if err := checkLinkToken(operation, linkToken); err != nil {
		return nil, err
	}
	return do(ctx, c, operation, linkToken, func(api *gen.Client) (*http.Response, error) {
		return api.ValidateLinkToken(ctx, linkToken)
	}, newLinkTokenValidation, "valid", "expiresAt", "workspaceId", "customerId")
}

// checkLinkToken refuses what would not reach the server as one path segment.
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
