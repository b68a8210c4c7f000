// Package browser contains only tests. They run examples/backend and use its page in
// a headless Chromium, as a person would.
//
// The tests need Chromium or Chrome, and axe-core from npm:
//
//	npm ci --ignore-scripts
//	go test -count=1 .
//
// Use -count=1, because go test does not notice changes outside of this module.
package browser
