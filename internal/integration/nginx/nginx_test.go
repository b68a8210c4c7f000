package nginx

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// directives are a scenario's additions to the blocks of nginx.conf.
type directives struct{ HTTP, Server, Location string }

// The access log has the SDK key of each request, which identifies its call.
var nginxConf = template.Must(template.New("nginx.conf").Parse(`
daemon off;
{{with .User}}user {{.}};{{end}}
worker_processes 2;
pid nginx.pid;
error_log error.log;
events { worker_connections 4096; }
http {
	log_format call '$msec $status $request_method $http_authorization';
	access_log access.log call;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	{{.Directives.HTTP}}
	upstream api {
		server {{.Upstream}};
		keepalive 256;
	}
	server {
		listen {{.Addr}} ssl{{if .HTTP2}} http2{{end}};
		ssl_certificate cert.pem;
		ssl_certificate_key key.pem;
		{{.Directives.Server}}
		location / {
			{{.Directives.Location}}
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_pass http://api;
		}
	}
}
`))

// nginx is a running nginx in front of an upstream.
type nginx struct {
	addr   string
	dir    string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended
	stderr bytes.Buffer
	stop   func()
}

// startNginx starts an nginx and stops it when the test ends.
func startNginx(t *testing.T, http2 bool, upstream string, d directives) *nginx {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatal("these tests need nginx: install it, or add its directory (often /usr/sbin) to PATH:", err)
	}
	n := &nginx{dir: t.TempDir()}
	for name, content := range map[string][]byte{"cert.pem": certificate.cert, "key.pem": certificate.key} {
		if err := os.WriteFile(filepath.Join(n.dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Another process may take the port before nginx listens on it.
	for attempt := range 3 {
		n.addr = freeAddr(t)
		n.writeConf(t, http2, upstream, d)
		if err = n.start(path); err == nil {
			break
		}
		t.Logf("attempt %d: %v", attempt+1, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	return n
}

func (n *nginx) writeConf(t *testing.T, http2 bool, upstream string, d directives) {
	t.Helper()
	values := struct {
		User, Addr, Upstream string
		HTTP2                bool
		Directives           directives
	}{rootUser(t), n.addr, upstream, http2, d}
	var conf bytes.Buffer
	if err := nginxConf.Execute(&conf, values); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(n.dir, "nginx.conf"), conf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// rootUser returns the user and group for nginx's workers, which must be able to read
// the test's directory. If the test does not run as root, it returns "": workers then
// run as the current user, and nginx would warn about a user directive.
func rootUser(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		return ""
	}
	group, err := user.LookupGroupId(strconv.Itoa(os.Getegid()))
	if err != nil {
		t.Fatal(err)
	}
	return "root " + group.Name
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts the process and waits until it accepts connections.
func (n *nginx) start(path string) error {
	n.stderr.Reset()
	n.done = make(chan struct{})
	n.cmd = exec.Command(path, "-p", n.dir, "-c", "nginx.conf")
	n.cmd.Stderr = &n.stderr
	if err := n.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = n.cmd.Wait()
		close(n.done)
	}()
	n.stop = sync.OnceFunc(func() {
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-n.done:
		case <-time.After(5 * time.Second):
			_ = n.cmd.Process.Kill()
			<-n.done
		}
	})
	for range 500 {
		select {
		case <-n.done:
			return fmt.Errorf("nginx ended: %s", &n.stderr)
		case <-time.After(10 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", n.addr); err == nil {
			return conn.Close()
		}
	}
	n.stop()
	return fmt.Errorf("nginx accepts no connections after 5 s: %s", &n.stderr)
}

// reload does the same as nginx -s reload: new workers take over, and old workers
// finish their requests and close their idle connections.
func (n *nginx) reload() error { return n.cmd.Process.Signal(syscall.SIGHUP) }

// A logged is a request in nginx's access log.
type logged struct {
	at     time.Time // when nginx finished the request
	status int
	method string
}

// log returns the requests by call. It is complete once nginx has stopped.
func (n *nginx) log(t *testing.T) map[string][]logged {
	t.Helper()
	f, err := os.Open(filepath.Join(n.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	requests := map[string][]logged{}
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		var at float64
		var r logged
		var id string
		if _, err := fmt.Sscanf(scanner.Text(), "%g %d %s Bearer %s", &at, &r.status, &r.method, &id); err != nil {
			continue // the connection ended before the request was complete
		}
		r.at = time.UnixMilli(int64(at * 1000))
		requests[id] = append(requests[id], r)
	}
	return requests
}

// problems returns the serious messages of the error log.
func (n *nginx) problems() string {
	content, _ := os.ReadFile(filepath.Join(n.dir, "error.log"))
	var found []string
	for line := range strings.Lines(string(content)) {
		if strings.Contains(line, "[alert]") || strings.Contains(line, "[emerg]") || strings.Contains(line, "[crit]") {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}
