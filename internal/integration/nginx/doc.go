// Package nginx contains only tests. They run the SDK against a real nginx on the
// loopback interface, with TLS, over HTTP/1.1 and HTTP/2. Meanwhile nginx and its
// upstream do what servers do in production: they reload, close connections, restart,
// limit rates and stop responding. The tests take about a minute.
package nginx
