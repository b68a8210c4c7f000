package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// kinds has the kinds of faults with the fields that each allows.
var kinds = map[string][]string{
	"status":      {"status", "retryAfter"},
	"response":    {"status", "body", "contentType"},
	"cut":         nil,
	"cutResponse": nil,
	"silence":     nil,
	"delay":       {"delay"},
}

// queueFaults reads the body of POST /_fake/faults. It checks the fields before it
// makes a fault, because package clienttest panics if they are wrong.
func queueFaults(api *clienttest.API, from io.Reader) error {
	const none, asJSON = duration(-1), "application/json"
	var kind, operation, body, contentType = "", "", "", asJSON
	var status, times, retryAfter, delay, always = 0, 0, none, none, false
	if err := decode(from, "kind", fields{"kind": &kind, "status": &status, "retryAfter": &retryAfter, "body": &body,
		"contentType": &contentType, "delay": &delay, "operation": &operation, "times": &times, "always": &always}); err != nil {
		return err
	}
	allowed, known := kinds[kind]
	if !known {
		return fmt.Errorf("unknown kind %q; want status, response, cut, cutResponse, silence or delay", kind)
	}
	isSet := map[string]bool{"status": status != 0, "retryAfter": retryAfter != none, "body": body != "",
		"contentType": contentType != asJSON, "delay": delay != none}
	for _, name := range slices.Sorted(maps.Keys(isSet)) {
		if isSet[name] && !slices.Contains(allowed, name) {
			return fmt.Errorf("the kind %s does not allow the field %s", kind, name)
		}
	}
	switch {
	case slices.Contains(allowed, "status") && (status < 200 || status > 599):
		return fmt.Errorf("the kind %s requires a status from 200 to 599", kind)
	case kind == "delay" && delay == none:
		return errors.New("the kind delay requires the field delay")
	case retryAfter < none, delay < none:
		return errors.New("retryAfter and delay must not be negative")
	case strings.ContainsAny(contentType, "\r\n"):
		return errors.New("contentType must be a single line")
	case times < 0, times > 1000:
		return errors.New("times must be from 0 to 1000")
	case always && times > 0:
		return errors.New("times can't be combined with always")
	case !slices.Contains([]string{"", "generateLinkToken", "validateLinkToken"}, operation):
		return fmt.Errorf("unknown operation %q", operation)
	}

	var fault clienttest.Fault
	switch kind {
	case "status":
		fault = clienttest.Status(status)
		if retryAfter != none {
			fault = clienttest.StatusRetryAfter(status, time.Duration(retryAfter))
		}
	case "response":
		fault = clienttest.Response(status, http.Header{"Content-Type": {contentType}}, body)
	case "cut":
		fault = clienttest.Cut()
	case "cutResponse":
		fault = clienttest.CutResponse()
	case "silence":
		fault = clienttest.Silence()
	case "delay":
		fault = clienttest.Delay(time.Duration(delay))
	}
	if operation != "" {
		fault = fault.On(operation)
	}
	if always {
		fault = fault.Always()
	}
	api.Queue(slices.Repeat([]clienttest.Fault{fault}, max(1, times))...)
	return nil
}
