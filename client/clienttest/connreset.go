//go:build !plan9

package clienttest

import "syscall"

const errConnReset = syscall.ECONNRESET
