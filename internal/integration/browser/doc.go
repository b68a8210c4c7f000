// Package browser contains only tests. They run examples/backend and use its page in
// a headless Chromium, as a person would. One of them gives the link token that the
// backend responds with to Oneloop's own component.
//
// The tests need Chromium or Chrome, and axe-core and the component from npm:
//
//	npm ci --ignore-scripts
//	go test -count=1 .
//
// Use -count=1, because go test does not notice changes outside of this module.
package browser
