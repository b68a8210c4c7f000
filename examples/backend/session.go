package main

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
)

const (
	demoCustomer  = "customer_1"
	demoWorkspace = "workspace_1"
	sessionCookie = "oneloop_demo_session"
)

// session is a STAND-IN for your own sign-in: whoever opens the page is signed
// in as demoCustomer, without a password, until the process ends. Replace it
// before others can reach the backend.
type session struct{ id string }

func newSession() session { return session{rand.Text()} }

func (s session) signIn(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{
		Name:     sessionCookie,
		Value:    s.id,
		Path:     "/",
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
		Secure:   r.TLS != nil,
	})
}

// customer returns who is signed in.
func (s session) customer(r *http.Request) (id string, ok bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(s.id)) != 1 {
		return "", false
	}
	return demoCustomer, true
}
