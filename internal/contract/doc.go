// Package contract contains only tests. They check that package client, the fake in
// package clienttest and openapi.yaml agree. It is a separate module, so that the SDK
// does not depend on an OpenAPI validator.
package contract
