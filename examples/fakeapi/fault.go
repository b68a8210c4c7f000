package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

// queueFaults reads the body of POST /_fake/faults.
func queueFaults(api *clienttest.API, body io.Reader) error {
	const none = duration(-1) // the field is missing; durations must not be negative
	kind, operation, status, times, retryAfter, delay, always := "", "", 0, 0, none, none, false
	err := decode(body, "kind", fields{"kind": &kind, "status": &status, "retryAfter": &retryAfter, "delay": &delay,
		"operation": &operation, "times": &times, "always": &always})
	newFault, known := map[string]func() clienttest.Fault{
		"status":      func() clienttest.Fault { return clienttest.Status(status) },
		"cut":         clienttest.Cut,
		"cutResponse": clienttest.CutResponse,
		"silence":     clienttest.Silence,
		"delay":       func() clienttest.Fault { return clienttest.Delay(time.Duration(delay)) },
	}[kind]
	switch isStatus, isDelay := kind == "status", kind == "delay"; {
	case err != nil:
		return err
	case !known:
		return fmt.Errorf("unknown kind %q; want status, cut, cutResponse, silence or delay", kind)
	case isStatus && (status < 200 || status > 599), !isStatus && (status != 0 || retryAfter != none):
		return fmt.Errorf("the kind status requires a status from 200 to 599; other kinds allow neither status nor retryAfter")
	case isDelay != (delay != none):
		return fmt.Errorf("the kind delay requires the field delay; other kinds do not allow it")
	case retryAfter < none, delay < none:
		return fmt.Errorf("retryAfter and delay must not be negative")
	case times < 0, times > 1000:
		return fmt.Errorf("times must be from 0 to 1000")
	case always && times > 0:
		return fmt.Errorf("times can't be combined with always")
	case !slices.Contains([]string{"", "generateLinkToken", "validateLinkToken"}, operation):
		return fmt.Errorf("unknown operation %q", operation)
	}
	fault := newFault() // it panics for input that was not checked
	if retryAfter != none {
		fault = clienttest.StatusRetryAfter(status, time.Duration(retryAfter))
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
