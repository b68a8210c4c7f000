package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var (
	browser  context.Context // shared by all tests; each has its own profile
	programs string          // the directory with examples/backend and examples/fakeapi
	axe      string          // source code of axe-core
)

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runTests(m *testing.M) (int, error) {
	source, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if err != nil {
		return 0, fmt.Errorf("axe-core is missing; run npm ci --ignore-scripts in internal/integration/browser: %w", err)
	}
	axe = string(source)

	programs, err = os.MkdirTemp("", "browser")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(programs)
	build := exec.Command("go", "build", "-o", programs, "./examples/backend", "./examples/fakeapi")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build: %w\n%s", err, out)
	}

	// Containers and CI lack the privileges that the sandbox requires. The browser only
	// opens our own pages.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	browser, cancel = chromedp.NewContext(allocator)
	defer cancel()
	if err := chromedp.Do(browser); err != nil {
		return 0, fmt.Errorf("no browser: %w", err)
	}
	return m.Run(), nil
}

// start runs a program on a free port until the test ends. It returns the first word
// of its output after prefix, which is its URL.
func start(t *testing.T, env []string, prefix, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, program), append(args, "-addr", "127.0.0.1:0")...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), prefix); ok {
			url, _, _ := strings.Cut(rest, " ")
			return url
		}
	}
	t.Fatalf("%s did not print its URL", program)
	return ""
}

// A look configures how a page is displayed.
type look struct {
	width, height int64
	dark          bool
	forcedColors  bool
	noScript      bool
}

var desktop = look{width: 1280, height: 800}

// A page is a tab with the backend's page.
type page struct {
	t   *testing.T
	ctx context.Context
}

// open starts a backend with the fake API, and opens its page.
func open(t *testing.T, l look) *page {
	t.Helper()
	p := newPage(t, l)
	p.do(chromedp.Navigate(start(t, nil, "Open ", "backend", "-fake")))
	return p
}

// newPage returns an empty page. Script errors and violations of the content security
// policy fail the test.
func newPage(t *testing.T, l look) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("exception: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
		case *log.EventEntryAdded:
			if e.Entry.Source != "network" { // the network logs every 401
				t.Errorf("the browser's log: %s", e.Entry.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t, ctx}
	p.do(chromedp.EmulateViewport(l.width, l.height))
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: map[bool]string{false: "light", true: "dark"}[l.dark]},
		{Name: "forced-colors", Value: map[bool]string{false: "none", true: "active"}[l.forcedColors]},
	}})
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.noScript})
	return p
}

func call[P, R any](p *page, command cdp.Command[P, R], params P) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, command, params); err != nil {
		p.t.Fatal(err)
	}
}

func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

func evaluate[T any](p *page, script string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
	return v
}

func (p *page) text(selector string) string {
	p.t.Helper()
	return evaluate[string](p, fmt.Sprintf("document.querySelector(%q).innerText", selector))
}

// message returns the message next to a button.
func (p *page) message(id string) string {
	p.t.Helper()
	return evaluate[string](p, fmt.Sprintf("document.getElementById(%q).closest('.action').querySelector('[role=status]').innerText", id))
}

// press clicks a button without waiting for the result.
func (p *page) press(id string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.ID(id)))
}

// click clicks a button, waits for the result, and checks the message next to it.
func (p *page) click(id, want string) {
	p.t.Helper()
	p.press(id)
	p.settle(id)
	if got := p.message(id); got != want {
		p.t.Errorf("clicked %s: got message %q, want %q", id, got, want)
	}
}

// settle waits until a button can be clicked again.
func (p *page) settle(id string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.getElementById(%q).ariaDisabled !== 'true'", id))
}

// until waits until a condition is true. chromedp.Poll does not work here because of
// the page's content security policy.
func (p *page) until(condition string) {
	p.t.Helper()
	for end := time.Now().Add(20 * time.Second); !evaluate[bool](p, condition); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("still false after 20 s: %s", condition)
		}
	}
}

// wantTexts checks texts of the page. The keys of want are selectors.
func (p *page) wantTexts(want map[string]string) {
	p.t.Helper()
	for selector, text := range want {
		if got := p.text(selector); got != text {
			p.t.Errorf("%s: got %q, want %q", selector, got, text)
		}
	}
}

// wantCalls checks the diagram of the latest click, without the durations.
func (p *page) wantCalls(want ...string) {
	p.t.Helper()
	got := evaluate[[]string](p, `[...document.querySelectorAll('#calls > li:first-child > ol > li')].map(item =>
		item.textContent.replace(/ · [\d.]+ ms/, '').replace(/[\d.]+ s/, 'N s'))`)
	if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
		p.t.Errorf("got diagram\n%s\nwant\n%s", a, b)
	}
	durations := evaluate[int](p, `(document.querySelector('#calls > li:first-child').textContent.match(/ · [\d.]+ ms/g) ?? []).length`)
	if responses := strings.Count(strings.Join(want, "\n"), "to browser") + strings.Count(strings.Join(want, "\n"), "Oneloop to"); durations != responses {
		p.t.Errorf("the diagram has %d durations, want %d", durations, responses)
	}
}

// checkAccessibility runs all rules of axe, and checks that the page is not wider than
// the window.
func (p *page) checkAccessibility(state string) {
	p.t.Helper()
	if !evaluate[bool](p, "typeof axe === 'object'") {
		p.do(chromedp.Evaluate[chromedp.Void](axe))
	}
	result := evaluate[string](p, `axe.run(document, { resultTypes: ['violations'] }).then(result => JSON.stringify({
		checked: result.passes.length,
		violations: result.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.map(node => node.html).join(' ')),
	}))`)
	var found struct {
		Checked    int
		Violations []string
	}
	if err := json.Unmarshal([]byte(result), &found); err != nil || found.Checked < 20 {
		p.t.Errorf("%s: axe passed %d rules (%v)", state, found.Checked, err)
	}
	for _, violation := range found.Violations {
		p.t.Errorf("%s: axe: %s", state, violation)
	}
	if wide := evaluate[int](p, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
		p.t.Errorf("%s: the page is %d px wider than the window", state, wide)
	}
}
