// Users import package client: this package keeps no compatibility promise.
package gen

//go:generate go tool -modfile=../internal/tools/go.mod oapi-codegen -config config.yaml ../openapi.yaml
