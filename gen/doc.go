// Package gen is internal to package client, which is what users import. It holds
// the wire types and the request builders that oapi-codegen generates from
// openapi.yaml, and makes no promise of compatibility.
package gen

//go:generate go tool -modfile=../internal/tools/go.mod oapi-codegen -config config.yaml ../openapi.yaml
