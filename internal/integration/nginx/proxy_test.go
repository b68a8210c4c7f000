package nginx

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A proxy forwards connections to nginx. Connections that are open when silence is
// called stay open, but the proxy forwards nothing more on them, like a firewall that
// has forgotten them. New connections work.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	pairs map[*pair]bool
	done  sync.WaitGroup
}

type pair struct {
	client, server net.Conn
	silent         atomic.Bool
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, pairs: map[*pair]bool{}}
	p.done.Go(p.serve)
	t.Cleanup(p.stop)
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		c := &pair{client: client, server: server}
		p.mu.Lock()
		p.pairs[c] = true
		p.mu.Unlock()
		p.done.Go(func() { c.copy(server, client) })
		p.done.Go(func() { c.copy(client, server) })
	}
}

// copy forwards data, and closes c when either side does. If c is silent, it discards
// the data, and closes c only when the client does.
func (c *pair) copy(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err == nil && !c.silent.Load() {
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			if from == c.client || !c.silent.Load() {
				c.close()
			}
			return
		}
	}
}

func (c *pair) close() {
	c.client.Close()
	c.server.Close()
}

// silence stops forwarding on the connections that are currently open.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		c.silent.Store(true)
	}
}

func (p *proxy) stop() {
	p.listener.Close()
	p.mu.Lock()
	for c := range p.pairs {
		c.close()
	}
	p.mu.Unlock()
	p.done.Wait()
}
