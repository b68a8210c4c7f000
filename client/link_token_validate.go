package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/oneloop-ai/oneloop-go/gen"
	"github.com/oneloop-ai/oneloop-go/internal/wire"
)

// maxLinkToken is the maximum length of a link token, in bytes. Servers reject much
// longer paths, and some even close the connection.
const maxLinkToken = 2 << 10

// A LinkTokenValidation is the result of validating a link token.
type LinkTokenValidation struct {
	// Valid reports whether to accept the token. If it is false, reject the token,
	// regardless of the other fields, which may be empty. If it is true, there is
	// no need to check ExpiresAt, because Oneloop has done so.
	Valid bool `json:"valid"`
	// ExpiresAt is in UTC. Oneloop sends a Unix time but doesn't document its unit:
	// values of 1e11 and above are taken as milliseconds, smaller ones as seconds.
	ExpiresAt         time.Time `json:"expiresAt"`
	WorkspaceID       string    `json:"workspaceId"`                 // not empty if Valid
	CustomerID        string    `json:"customerId"`                  // not empty if Valid
	ExternalBillingID string    `json:"externalBillingId,omitempty"` // empty if the token has none
}

// ValidateLinkToken asks Oneloop whether linkToken is valid, and which customer and
// workspace it belongs to. A token that Oneloop reports as not valid is not an error:
// check Valid. Oneloop doesn't document its response to a token that it never created;
// if it is a 400, the error matches [ErrBadRequest].
//
// A link token consists of 1 to 2,048 of the characters that RFC 3986 allows
// unescaped in a path segment: letters, digits and -._~!$&'()*+,;=:@. It is neither
// "." nor "..". These limits are the package's own. If linkToken is anything else, the
// error matches [ErrInvalidLinkToken] and nothing is sent. A response outside 2xx is
// returned as an [*ErrorResponse]. The error matches [ErrMalformedResponse] if a 2xx
// response does not conform to the contract, or if it reports the token as valid
// without naming its workspace and customer.
func (c *Client) ValidateLinkToken(ctx context.Context, linkToken string) (*LinkTokenValidation, error) {
	if !isLinkToken(linkToken) {
		return nil, &failure{text: "oneloop: validateLinkToken: linkToken " + notLinkToken, cause: ErrInvalidLinkToken}
	}
	var validation LinkTokenValidation
	err := c.do(ctx, call{
		operation: "validateLinkToken",
		linkToken: linkToken,
		request: func(ctx context.Context, baseURL string) (*http.Request, error) {
			return gen.NewValidateLinkTokenRequest(ctx, baseURL, linkToken)
		},
		decode: func(header http.Header, body []byte) (err error) {
			validation, err = decodeLinkTokenValidation(header, body)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return &validation, nil
}

// notLinkToken is the rest of an error text that begins with the name of a value for
// which isLinkToken is false.
const notLinkToken = `is malformed: want 1 to 2,048 letters, digits or -._~!$&'()*+,;=:@, and neither "." nor ".."`

// isLinkToken reports whether s can be a link token. Characters that RFC 3986 requires
// to be escaped in a path segment are excluded, because gateways may decode them
// twice.
func isLinkToken(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxLinkToken && !strings.ContainsFunc(s, needsEscape)
}

func needsEscape(r rune) bool {
	isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !isLetter && !strings.ContainsRune("0123456789-._~!$&'()*+,;=:@", r)
}

func decodeLinkTokenValidation(header http.Header, body []byte) (v LinkTokenValidation, err error) {
	var response gen.ValidateLinkTokenResponse
	if err := wire.Decode(header, body, &response); err != nil {
		return v, err
	}
	v = LinkTokenValidation{
		Valid:             response.Valid.Value,
		WorkspaceID:       response.WorkspaceID.Value,
		CustomerID:        response.CustomerID.Value,
		ExternalBillingID: response.ExternalBillingID.Value,
	}
	if v.Valid && (v.WorkspaceID == "" || v.CustomerID == "") {
		return v, errors.New("valid is true, but workspaceId or customerId is empty")
	}
	v.ExpiresAt, err = parseEpoch("expiresAt", response.ExpiresAt.Value)
	return v, err
}

// parseEpoch converts a Unix time. Oneloop does not document its unit, so
// parseEpoch guesses it from the value: 1e11 is in March 1973 if it counts
// milliseconds, and in the year 5138 if it counts seconds.
func parseEpoch(field string, epoch int64) (time.Time, error) {
	t := time.Unix(epoch, 0).UTC()
	if epoch >= 1e11 {
		t = time.UnixMilli(epoch).UTC()
	}
	if t.Year() > 9999 { // time.Time can't encode later years as JSON
		return time.Time{}, errors.New(field + " is after the year 9999")
	}
	return t, nil
}
