package browser

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// nobody is the identity that the page shows without a session.
var nobody = map[string]string{"#customer": "–", "#workspace": "–", "#session-expiry": "–"}

const unavailable = "Oneloop is not available right now. Try again in 5 seconds."

func TestFlow(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	if got := p.text("#fake"); !strings.HasPrefix(got, "This runs on a fake API.") {
		t.Errorf("the page does not mention the fake: %q", got)
	}
	p.wantTexts(nobody)
	p.click("who", "There is no session. Get a link token first.")

	p.click("get", "You have a link token.")
	p.wantCalls(
		"Browser to backend: POST /link-token",
		"Backend to Oneloop: POST /api/v1/link-token",
		"Oneloop to backend: 200",
		"Backend to browser: 200 · the link token",
	)
	if got := p.text("#token"); !regexp.MustCompile(`^••••\w{4}$`).MatchString(got) {
		t.Errorf("the link token is shown as %q", got)
	}
	if got := p.text("#token-expiry"); !regexp.MustCompile(`^1[45]:\d\d$`).MatchString(got) {
		t.Errorf("the link token expires in %q", got)
	}

	p.click("who", "The link token is valid. You now have a session.")
	p.wantCalls(
		"Browser to backend: GET /whoami",
		"Backend to browser: 401 · no session",
		"Browser to backend: POST /session",
		"Backend to Oneloop: GET /api/v1/link-token/{token}",
		"Oneloop to backend: 200 · valid",
		"Backend to browser: 204 · a session cookie",
		"Browser to backend: GET /whoami",
		"Backend to browser: 200 · the identity",
	)
	p.wantTexts(map[string]string{"#customer": "customer_1", "#workspace": "workspace_1"})
	if got := p.text("#session-expiry"); !regexp.MustCompile(`^(1:00:00|59:\d\d)$`).MatchString(got) {
		t.Errorf("the session ends in %q", got)
	}

	p.click("who", "The session identifies you. Oneloop was not called.")
	p.wantCalls("Browser to backend: GET /whoami", "Backend to browser: 200 · the identity")

	p.do(chromedp.Reload()) // loses the link token but not the session
	p.click("who", "The session identifies you. Oneloop was not called.")

	p.click("end", "The session has ended.")
	p.wantCalls("Browser to backend: DELETE /session", "Backend to browser: 204 · session ended")
	p.wantTexts(nobody)
	p.click("who", "There is no session. Get a link token first.")
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("expire", "There is no link token. Get one first.")
	p.click("get", "You have a link token.")
	p.click("who", "The link token is valid. You now have a session.")
	p.click("expire", "Done. An existing session continues, but no new one can start.")
	p.wantTexts(map[string]string{"#token-expiry": "expired", "#customer": "customer_1"})
	if got := p.message("get"); got != "The link token has expired." {
		t.Errorf("got message %q next to the link token", got)
	}
	p.click("who", "The session identifies you. Oneloop was not called.")

	p.click("end", "The session has ended.")
	p.click("who", "The link token has expired. Get a new one.")
	p.wantTexts(nobody)
	p.click("get", "You have a link token.")
	p.click("who", "The link token is valid. You now have a session.")
}

// TestExpiryByClock moves the browser's clock and does not press any buttons.
func TestExpiryByClock(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("get", "You have a link token.")
	p.click("who", "The link token is valid. You now have a session.")
	p.do(chromedp.Evaluate[chromedp.Void]("{ const now = Date.now; Date.now = () => now() + 16 * 60 * 1000; }"))
	p.until("document.getElementById('token-expiry').textContent === 'expired'")
	p.wantTexts(map[string]string{"#customer": "customer_1"})
	p.do(chromedp.Evaluate[chromedp.Void]("{ const now = Date.now; Date.now = () => now() + 60 * 60 * 1000; }"))
	p.until("document.getElementById('session-expiry').textContent === '–'")
	p.wantTexts(nobody)
	if got := p.message("who"); got != "The session has ended." {
		t.Errorf("got message %q next to the identity", got)
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("get", "You have a link token.")
	p.click("revoke", "Done. An existing session continues, but no new one can start.")
	p.wantTexts(map[string]string{"#token-expiry": "revoked"})
	p.click("who", "The link token is not valid. Get a new one.")
	p.wantTexts(nobody)
	p.wantCalls(
		"Browser to backend: GET /whoami",
		"Backend to browser: 401 · no session",
		"Browser to backend: POST /session",
		"Backend to Oneloop: GET /api/v1/link-token/{token}",
		"Oneloop to backend: 200 · not valid",
		"Backend to browser: 401 · not admitted",
	)
}

func TestOutage(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.click("get", "You have a link token.")
	p.click("who", "The link token is valid. You now have a session.")
	p.click("outage", "Oneloop is down. Existing sessions continue.")
	p.click("who", "The session identifies you. Oneloop was not called.")
	p.click("end", "The session has ended.")

	p.slow()
	p.press("who")
	p.until("document.getElementById('calls').textContent.includes('waiting')")
	if got := p.message("who"); got != "Waiting" {
		t.Errorf("got message %q during the wait", got)
	}
	p.wantTexts(map[string]string{"#who": "Who am I?"})
	p.press("who") // has no effect during the wait
	p.settle("who")
	p.fast()
	if got := p.message("who"); got != unavailable {
		t.Errorf("got message %q, want %q", got, unavailable)
	}
	p.wantTexts(nobody)
	p.wantCalls(
		"Browser to backend: GET /whoami",
		"Backend to browser: 401 · no session",
		"Browser to backend: POST /session",
		"Backend to Oneloop: GET /api/v1/link-token/{token}",
		"Oneloop to backend: 503",
		"waits N s, then tries again",
		"Backend to Oneloop: GET /api/v1/link-token/{token}",
		"Oneloop to backend: 503",
		"waits N s, then tries again",
		"Backend to Oneloop: GET /api/v1/link-token/{token}",
		"Oneloop to backend: 503",
		"Backend to browser: 503",
	)
	p.click("get", unavailable)
	p.click("outage", "Oneloop is back.")
	p.click("get", "You have a link token.")
	p.click("who", "The link token is valid. You now have a session.")
}

// TestBackendGone makes every request of the page fail.
func TestBackendGone(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.do(chromedp.Evaluate[chromedp.Void]("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))"))
	for _, id := range []string{"get", "who", "end", "outage"} {
		p.click(id, "The backend does not respond.")
	}
	if evaluate[bool](p, "document.getElementById('outage').checked") {
		t.Error("the switch for the outage is on")
	}
}

// TestKeyboard uses the page without a mouse. The focus must not move.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	p := open(t, desktop)
	p.do(chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
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
	if !strings.Contains(text, "This page needs JavaScript.") || strings.Contains(text, "Ready") {
		t.Errorf("got text without JavaScript:\n%s", text)
	}
}

// TestForcedColors checks that buttons have a visible border and readable text.
func TestForcedColors(t *testing.T) {
	t.Parallel()
	p := open(t, look{width: 1280, height: 800, forcedColors: true})
	for _, id := range []string{"get", "who", "end", "revoke", "expire"} {
		style := evaluate[[]string](p, fmt.Sprintf(`(style => [style.borderTopWidth, style.borderTopStyle, style.borderTopColor, style.color, style.backgroundColor])(
			getComputedStyle(document.getElementById(%q)))`, id))
		if style[0] != "1px" || style[1] != "solid" || style[2] == style[4] || style[3] == style[4] {
			t.Errorf("%s has border %v, text color %s and background %s", id, style[:3], style[3], style[4])
		}
	}
}

func TestAccessibility(t *testing.T) {
	for name, l := range map[string]look{
		"1280 px, light": {width: 1280, height: 800},
		"1280 px, dark":  {width: 1280, height: 800, dark: true},
		"390 px, light":  {width: 390, height: 844},
		"390 px, dark":   {width: 390, height: 844, dark: true},
		"forced colors":  {width: 1280, height: 800, forcedColors: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, l)
			p.checkAccessibility("initially")
			p.click("get", "You have a link token.")
			p.click("who", "The link token is valid. You now have a session.")
			p.checkAccessibility("with a session")
			p.click("end", "The session has ended.")
			p.click("expire", "Done. An existing session continues, but no new one can start.")
			p.click("who", "The link token has expired. Get a new one.")
			p.checkAccessibility("expired")
			p.click("outage", "Oneloop is down. Existing sessions continue.")
			p.slow()
			p.press("get")
			p.until("document.getElementById('calls').textContent.includes('waiting')")
			p.checkAccessibility("waiting")
			p.settle("get")
			p.checkAccessibility("during an outage")
		})
	}
}
