package main

import (
	"crypto/subtle"
	"net/http"
)

// signIn is a STAND-IN for your own sign-in: whoever opens the page is signed in as
// customer_1, without a password. Replace it before others can reach the backend. Its
// value is that of the cookie.
type signIn string

// customer returns the id of the customer who is signed in.
func (s signIn) customer(r *http.Request) (id string, ok bool) {
	cookie, err := r.Cookie("demo")
	return "customer_1", err == nil && subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(s)) == 1
}

func setCookie(w http.ResponseWriter, value string) {
	http.SetCookie(w, &http.Cookie{Name: "demo", Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
}
