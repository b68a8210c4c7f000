// Package contract holds no code but tests. They check package client, the fake
// in package clienttest and openapi.yaml against each other. It is a module of
// its own, so that nobody who uses the SDK inherits an OpenAPI validator.
package contract
