module github.com/oneloop-ai/oneloop-go/internal/realservers

go 1.25.0

replace github.com/oneloop-ai/oneloop-go => ../..

require github.com/oneloop-ai/oneloop-go v0.0.0-00010101000000-000000000000

require (
	github.com/apapsch/go-jsonmerge/v2 v2.0.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
	github.com/hashicorp/go-retryablehttp v0.7.8 // indirect
	github.com/oapi-codegen/runtime v1.8.0 // indirect
)
