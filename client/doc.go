// Package client calls the Oneloop API's link tokens.
package client
