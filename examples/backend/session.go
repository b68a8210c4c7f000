package main

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

const (
	demoCustomer  = "customer_1"
	demoWorkspace = "workspace_1"

	signInCookie    = "demo_sign_in"
	sessionCookie   = "demo_session"
	sessionLifetime = time.Hour
)

// signIn is a STAND-IN for your own sign-in. Everyone who opens the page is signed in
// as demoCustomer, without a password, until the process ends. Replace it before
// others can reach the backend.
type signIn struct{ id string }

func newSignIn() signIn { return signIn{rand.Text()} }

func (s signIn) setCookie(w http.ResponseWriter, r *http.Request) {
	setCookie(w, r, signInCookie, s.id, 0)
}

// customer returns the id of the signed-in customer, if there is one.
func (s signIn) customer(r *http.Request) (id string, ok bool) {
	cookie, err := r.Cookie(signInCookie)
	if err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(s.id)) != 1 {
		return "", false
	}
	return demoCustomer, true
}

// A session is the result of exchanging a link token. It remains valid for
// sessionLifetime, even if the token expires or is revoked.
type session struct {
	CustomerID  string    `json:"customerId"`
	WorkspaceID string    `json:"workspaceId"`
	EndsAt      time.Time `json:"endsAt"`
}

type sessions struct{ byID sync.Map }

// start exchanges the request's link token, which linkauth has validated, for a
// session.
func (s *sessions) start(w http.ResponseWriter, r *http.Request) {
	v, ok := linkauth.FromContext(r.Context())
	if !ok {
		http.Error(w, "no link token", http.StatusUnauthorized)
		return
	}
	s.forget(r)
	id := rand.Text()
	s.byID.Store(id, session{v.CustomerID, v.WorkspaceID, time.Now().Add(sessionLifetime).UTC()})
	time.AfterFunc(sessionLifetime, func() { s.byID.Delete(id) })
	setCookie(w, r, sessionCookie, id, int(sessionLifetime.Seconds()))
	w.WriteHeader(http.StatusNoContent)
}

// whoami responds with the session. It does not call Oneloop, and needs no link
// token.
func (s *sessions) whoami(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if found, ok := s.byID.Load(cookie.Value); ok {
			writeJSON(w, found)
			return
		}
	}
	http.Error(w, "no session", http.StatusUnauthorized)
}

// end ends the caller's session, if there is one.
func (s *sessions) end(w http.ResponseWriter, r *http.Request) {
	s.forget(r)
	setCookie(w, r, sessionCookie, "", -1)
	w.WriteHeader(http.StatusNoContent)
}

func (s *sessions) forget(r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		s.byID.Delete(cookie.Value)
	}
}

func setCookie(w http.ResponseWriter, r *http.Request, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
		// A proxy in front of the backend may terminate TLS.
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	})
}
