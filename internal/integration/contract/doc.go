// Package contract contains only tests. They check that package client, the fake in
// package clienttest and openapi.yaml agree.
package contract
