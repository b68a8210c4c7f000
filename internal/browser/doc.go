// Package browser holds no code but tests. They run examples/backend and use its
// page in a headless Chromium, as a person would. It is a module of its own, so
// that nobody who uses the SDK inherits a browser driver.
//
// The tests need Chromium or Chrome, and axe-core from npm:
//
//	npm ci --ignore-scripts
//	go test -count=1 ./...
//
// go test doesn't see changes of files outside this module, hence -count=1.
package browser
