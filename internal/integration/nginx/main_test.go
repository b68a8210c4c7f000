package nginx

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

// certificate is the certificate of all servers, as PEM.
var certificate struct{ cert, key []byte }

// TestMain makes Clients trust the certificate in the way a program would trust a
// private CA: through http.DefaultTransport, which Clients copy.
func TestMain(m *testing.M) {
	roots, err := makeCertificate()
	if err != nil {
		fmt.Fprintln(os.Stderr, "creating a certificate:", err)
		os.Exit(1)
	}
	standard := http.DefaultTransport.(*http.Transport).Clone()
	standard.TLSClientConfig = &tls.Config{RootCAs: roots}
	standard.DialContext = connections.dial
	http.DefaultTransport = standard
	code := m.Run()
	report.print(os.Stdout)
	os.Exit(code)
}

// makeCertificate creates a self-signed certificate for 127.0.0.1, and returns a pool
// that contains it.
func makeCertificate() (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certificate.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	certificate.key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate.cert)
	return roots, nil
}

// connections counts the connections of all clients by server address.
var connections = counter{byAddr: map[string]*connCount{}}

type counter struct {
	mu     sync.Mutex
	byAddr map[string]*connCount
}

type connCount struct{ dialed, open int }

func (c *counter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.byAddr[addr]
	if n == nil {
		n = new(connCount)
		c.byAddr[addr] = n
	}
	n.dialed++
	n.open++
	return &countedConn{Conn: conn, closed: sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		n.open--
	})}, nil
}

// to returns the number of connections to addr.
func (c *counter) to(addr string) connCount {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.byAddr[addr]; n != nil {
		return *n
	}
	return connCount{}
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
