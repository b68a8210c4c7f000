package browser

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// noToken and noUsage are what the page shows initially.
var (
	noToken = map[string]string{"#token": "–", "#expiry": "–"}
	noUsage = map[string]string{"#customerId": "–", "#workspaceId": "–", "#requests": "–", "#errors": "–"}
)

const (
	gotToken    = "You have a link token."
	valid       = "The link token is valid."
	unavailable = "Oneloop is not available right now. Try again in 5 seconds."
	works       = "Oneloop works again."
)

func TestFlow(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	if got := p.text("header p"); !strings.HasPrefix(got, "A link token lets one of your customers manage their API keys in your dashboard") {
		t.Errorf("the page begins with %q", got)
	}
	if got := p.text("#fake"); !strings.HasPrefix(got, "This runs on a fake API.") {
		t.Errorf("the page does not mention the fake: %q", got)
	}
	p.wantTexts(noToken)
	p.wantTexts(noUsage)

	p.click("get", gotToken)
	p.wantCalls(
		"Browser to backend: POST /link-token",
		"Backend to Oneloop: GenerateLinkToken",
		"Oneloop to backend: 200",
		"Backend to browser: 200",
	)
	if got := p.text("#token"); !regexp.MustCompile(`^••••\w{4}$`).MatchString(got) {
		t.Errorf("the link token is shown as %q", got)
	}
	if got := p.text("#expiry"); !regexp.MustCompile(`^1[45]:\d\d$`).MatchString(got) {
		t.Errorf("the link token expires in %q", got)
	}
	if got := p.text("pre"); !strings.Contains(got, "<OneloopApiKeyManager\n  token={token}\n") {
		t.Errorf("the page shows %q", got)
	}

	for range 2 { // a validation does not consume the token
		p.click("usage", valid)
		p.wantCalls(
			"Browser to backend: GET /usage",
			"Backend to Oneloop: ValidateLinkToken",
			"Oneloop to backend: 200",
			"Backend to browser: 200",
		)
		p.wantTexts(map[string]string{"#customerId": "customer_1", "#workspaceId": "workspace_1", "#requests": "12,480", "#errors": "31"})
	}
	p.do(chromedp.Reload())
	p.wantTexts(noToken)
	p.click("usage", "Get a link token first.")
	p.wantCalls("Browser to backend: GET /usage", "Backend to browser: 401")
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("get", gotToken)
	p.click("usage", valid)
	p.click("sign-out", "")
	p.wantTexts(noToken)
	p.wantTexts(noUsage)
	p.wantTexts(map[string]string{"#signed-out": "Signed out. Sign in"})
	if got := evaluate[string](p, "document.activeElement.textContent"); got != "Sign in" {
		t.Errorf("the focus is on %q, want Sign in", got)
	}
	p.click("get", "You are not signed in.")
	p.wantCalls("Browser to backend: POST /link-token", "Backend to browser: 401")

	p.do(chromedp.Click("#signed-out a"))
	p.until("document.readyState === 'complete' && document.getElementById('sign-out')?.hidden === false")
	p.click("get", gotToken)
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("expire", "Get a link token first.")
	p.click("get", gotToken)
	p.click("expire", "The link token has expired.")
	p.wantTexts(map[string]string{"#expiry": "expired"})
	p.click("usage", "The link token has expired. Get a new one.")
	p.wantTexts(noUsage)
	p.click("get", gotToken)
	p.click("usage", valid)
}

// TestExpiryByClock moves the browser's clock and does not press any buttons.
func TestExpiryByClock(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("get", gotToken)
	p.do(chromedp.Evaluate[chromedp.Void]("{ const now = Date.now; Date.now = () => now() + 16 * 60 * 1000; }"))
	p.until("document.getElementById('expiry').textContent === 'expired'")
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("revoke", "Get a link token first.")
	p.click("get", gotToken)
	p.click("usage", valid)
	p.click("revoke", "The link token was revoked.")
	p.wantTexts(map[string]string{"#expiry": "revoked"})
	p.click("usage", "The link token is not valid. Get a new one.")
	p.wantTexts(noUsage)
	p.wantCalls(
		"Browser to backend: GET /usage",
		"Backend to Oneloop: ValidateLinkToken",
		"Oneloop to backend: 200 · not valid",
		"Backend to browser: 401",
	)
}

func TestOutage(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("get", gotToken)
	p.click("outage", "Oneloop is down: it responds with 503.")
	p.click("usage", unavailable)
	p.wantTexts(noUsage)
	attempt := []string{"Backend to Oneloop: ValidateLinkToken", "Oneloop to backend: 503"}
	p.wantCalls(concat("Browser to backend: GET /usage", attempt, "waits N s, then retries", attempt,
		"waits N s, then retries", attempt, "Backend to browser: 503")...)
	p.click("get", unavailable)
	p.wantTexts(noToken)
	p.click("works", works)
	p.click("get", gotToken)
	p.click("usage", valid)
}

// concat returns strings and slices of strings as one slice.
func concat(parts ...any) (all []string) {
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			all = append(all, part)
		case []string:
			all = append(all, part...)
		}
	}
	return all
}

func TestSlow(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("slow", "Oneloop is slow: it responds after 2 seconds.")
	p.press("get")
	p.until("document.getElementById('calls').textContent.includes('waiting, ')")
	if got := p.message("get"); got != "Waiting" {
		t.Errorf("got message %q during the wait", got)
	}
	p.press("get") // has no effect during the wait
	p.settle("get")
	if got := p.message("get"); got != gotToken {
		t.Errorf("got message %q, want %q", got, gotToken)
	}
	if got := evaluate[int](p, "document.getElementById('calls').childElementCount"); got != 1 {
		t.Errorf("the diagram shows %d clicks, want 1", got)
	}
	p.click("works", works)
	p.click("usage", valid)
}

func TestWrongKey(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("get", gotToken)
	p.click("wrong-key", "Oneloop rejects the SDK key: it responds with 401.")
	p.click("usage", unavailable) // and not that the caller is not admitted
	p.wantCalls(
		"Browser to backend: GET /usage",
		"Backend to Oneloop: ValidateLinkToken",
		"Oneloop to backend: 401",
		"Backend to browser: 503",
	)
	p.click("works", works)
	p.click("usage", valid)
}

// TestReload reloads the page during an outage, which ends it.
func TestReload(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("outage", "Oneloop is down: it responds with 503.")
	p.do(chromedp.Reload())
	if !evaluate[bool](p, "document.getElementById('works').checked") {
		t.Error("the page does not show that Oneloop works")
	}
	p.click("get", gotToken)
}

// TestMessages checks that there is one message at a time.
func TestMessages(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	for _, step := range []struct{ id, want string }{
		{"usage", "Get a link token first."},
		{"get", gotToken},
		{"revoke", "The link token was revoked."},
		{"usage", "The link token is not valid. Get a new one."},
		{"get", gotToken},
	} {
		p.click(step.id, step.want)
		all := evaluate[string](p, "[...document.querySelectorAll('.message')].map(m => m.textContent).join('')")
		if all != step.want {
			t.Errorf("after %s: the messages are %q, want %q", step.id, all, step.want)
		}
	}
}

// TestBackendGone makes every request of the page fail.
func TestBackendGone(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("get", gotToken)
	p.do(chromedp.Evaluate[chromedp.Void]("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))"))
	for _, id := range []string{"usage", "revoke", "outage", "sign-out", "get"} {
		p.click(id, "The backend does not respond.")
	}
}

// TestKeyboard uses the page without a mouse. The focus must not move.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.do(chromedp.KeyEvent("\t"), chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
	p.until("document.getElementById('token').textContent !== '–'")
	p.settle("get")
	if got := evaluate[string](p, "document.activeElement.id"); got != "get" {
		t.Errorf("the focus is on %q, want get", got)
	}
}

func TestWithoutScript(t *testing.T) {
	t.Parallel()
	p := open(t, look{width: 1280, height: 800, noScript: true})
	text := evaluate[string](p, "document.body.innerText")
	if !strings.Contains(text, "This page needs JavaScript.") {
		t.Errorf("got text without JavaScript:\n%s", text)
	}
}

// TestForcedColors checks that buttons have a visible border and readable text.
func TestForcedColors(t *testing.T) {
	t.Parallel()
	p := open(t, look{width: 1280, height: 800, forcedColors: true})
	for _, id := range []string{"get", "usage", "sign-out", "revoke", "expire"} {
		style := evaluate[[]string](p, fmt.Sprintf(`(style => [style.borderTopWidth, style.borderTopStyle, style.borderTopColor, style.color, style.backgroundColor])(
			getComputedStyle(document.getElementById(%q)))`, id))
		if style[0] != "1px" || style[1] != "solid" || style[2] == style[4] || style[3] == style[4] {
			t.Errorf("%s has border %v, text color %s and background %s", id, style[:3], style[3], style[4])
		}
	}
}

func TestAccessibility(t *testing.T) {
	for name, l := range map[string]look{
		"1280 px, light":        {width: 1280, height: 800},
		"1280 px, dark":         {width: 1280, height: 800, dark: true},
		"320 px, light":         {width: 320, height: 640},
		"320 px, dark":          {width: 320, height: 640, dark: true},
		"forced colors":         {width: 1280, height: 800, forcedColors: true},
		"320 px, forced colors": {width: 320, height: 640, forcedColors: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, l)
			p.checkAccessibility("initially")
			p.click("get", gotToken)
			p.click("usage", valid)
			p.checkAccessibility("with usage")
			p.click("expire", "The link token has expired.")
			p.click("usage", "The link token has expired. Get a new one.")
			p.checkAccessibility("expired")
			p.click("slow", "Oneloop is slow: it responds after 2 seconds.")
			p.press("get")
			p.until("document.getElementById('calls').textContent.includes('waiting, ')")
			p.checkAccessibility("waiting")
			p.settle("get")
			p.click("outage", "Oneloop is down: it responds with 503.")
			p.click("usage", unavailable)
			p.checkAccessibility("during an outage")
			p.click("sign-out", "")
			p.checkAccessibility("signed out")
		})
	}
}
