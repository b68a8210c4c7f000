package clienttest

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// The operations of the API.
const (
	generateLinkToken = "generateLinkToken"
	validateLinkToken = "validateLinkToken"
)

// maxLinkToken is the length in bytes of the longest link token that package client
// sends.
const maxLinkToken = 2 << 10

// A Request describes a request that an [API] received. Fields that could not be read
// are empty. It contains neither the SDK key nor the path.
type Request struct {
	// "generateLinkToken" or "validateLinkToken"; "" for any other request.
	Operation string `json:"operation"`

	// The arguments of generateLinkToken.
	CustomerID        string `json:"customerId,omitempty"`
	WorkspaceID       string `json:"workspaceId,omitempty"`
	ExternalBillingID string `json:"externalBillingId,omitempty"`

	// The argument of validateLinkToken; "" if it is longer than 2,048 bytes.
	LinkToken string `json:"linkToken,omitempty"`
}

// read returns the operation and the arguments of r, regardless of its base path. If r
// is not acceptable, read also returns the response that says so.
func read(r *http.Request) (Request, *response) {
	reject := func(request Request, status int, message string) (Request, *response) {
		rejection := errorResponse(status, message)
		return request, &rejection
	}
	const path = "/api/v1/link-token"
	escaped := r.URL.EscapedPath()
	rest := escaped[strings.LastIndex(escaped, path)+1:]
	segment, isToken := strings.CutPrefix(rest, path[1:]+"/")
	switch {
	case r.Method == http.MethodPost && rest == path[1:]:
		request, problem := readGenerate(r)
		if problem != "" {
			return reject(request, http.StatusBadRequest, problem)
		}
		return request, nil
	case r.Method == http.MethodGet && isToken && segment != "" && !strings.Contains(segment, "/"):
		request := Request{Operation: validateLinkToken}
		token, _ := url.PathUnescape(segment) // can't fail for a part of EscapedPath
		if len(token) > maxLinkToken {
			return reject(request, http.StatusBadRequest, "the link token is too long")
		}
		request.LinkToken = strings.Clone(token) // without the rest of the path
		return request, nil
	default:
		return reject(Request{}, http.StatusNotFound, "no such operation")
	}
}

// readGenerate reads the arguments of generateLinkToken. If r is not acceptable,
// problem says why.
func readGenerate(r *http.Request) (request Request, problem string) {
	request.Operation = generateLinkToken
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); t != "application/json" {
		return request, "the content type is not application/json"
	}
	if r.Body == nil {
		return request, "the body is missing"
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return request, "the body could not be read"
	}
	var body map[string]any // unlike a struct, a map is case-sensitive
	if json.Unmarshal(data, &body) != nil || !utf8.Valid(data) {
		return request, "the body is not a JSON object"
	}
	for _, field := range []struct {
		name     string
		to       *string
		optional bool
	}{
		{"customerId", &request.CustomerID, false},
		{"workspaceId", &request.WorkspaceID, false},
		{"externalBillingId", &request.ExternalBillingID, true},
	} {
		value, present := body[field.name]
		text, isString := value.(string)
		if !isString && (present || !field.optional) && problem == "" {
			problem = field.name + " is missing or not a string"
		}
		*field.to = text
	}
	return request, problem
}
