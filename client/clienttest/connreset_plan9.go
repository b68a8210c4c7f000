package clienttest

import "errors"

var errConnReset = errors.New("connection reset")
