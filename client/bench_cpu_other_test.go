//go:build !unix

package client_test

import "time"

// cpuTime is unknown.
func cpuTime() time.Duration { return 0 }
