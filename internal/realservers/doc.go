// Package realservers holds no code but tests. They run the SDK against a real
// nginx on the loopback interface, with TLS, over HTTP/1.1 and HTTP/2, while
// nginx and what is behind it do what servers do in production: reload, close
// connections, restart, limit rates and fall silent. It is a module of its own,
// because the tests need nginx and take about a minute.
package realservers
