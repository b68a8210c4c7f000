// Package clienttest is the Oneloop API in memory, for tests and examples.
package clienttest
