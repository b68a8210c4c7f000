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

// A Request is a request that an API got, as far as it could be read. It does not
// contain the SDK key.
type Request struct {
	Operation string // the contract's operationId; "" for anything else

	// Of generateLinkToken.
	CustomerID, WorkspaceID, ExternalBillingID string

	// Of validateLinkToken.
	LinkToken string
}

// read finds the operation, under any base path, and its arguments.
func read(r *http.Request) (Request, *answer) {
	refuse := func(request Request, status int, message string) (Request, *answer) {
		refusal := errorAnswer(status, message)
		return request, &refusal
	}
	const path = "/api/v1/link-token"
	escaped := r.URL.EscapedPath()
	rest := escaped[strings.LastIndex(escaped, path)+1:]
	segment, isToken := strings.CutPrefix(rest, path[1:]+"/")
	switch {
	case r.Method == http.MethodPost && rest == path[1:]:
		request, problem := readGenerate(r)
		if problem != "" {
			return refuse(request, http.StatusBadRequest, problem)
		}
		return request, nil
	case r.Method == http.MethodGet && isToken && segment != "" && !strings.Contains(segment, "/"):
		token, err := url.PathUnescape(segment)
		request := Request{Operation: "validateLinkToken", LinkToken: token}
		if err != nil {
			return refuse(request, http.StatusBadRequest, "the path does not decode")
		}
		return request, nil
	default:
		return refuse(Request{}, http.StatusNotFound, "no such operation")
	}
}

func readGenerate(r *http.Request) (request Request, problem string) {
	request.Operation = "generateLinkToken"
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
	var body map[string]any // unlike a struct's, its names are exact
	if json.Unmarshal(data, &body) != nil || !utf8.Valid(data) {
		return request, "the body is not a JSON object"
	}
	for name, to := range map[string]*string{
		"customerId":        &request.CustomerID,
		"workspaceId":       &request.WorkspaceID,
		"externalBillingId": &request.ExternalBillingID,
	} {
		value, present := body[name]
		if !present && name == "externalBillingId" {
			continue
		}
		text, ok := value.(string)
		if !ok {
			problem = name + " is missing or not a string"
		}
		*to = text
	}
	return request, problem
}
