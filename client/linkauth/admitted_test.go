package linkauth_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/oneloop-ai/oneloop-go/client/linkauth"
)

// net/http deletes the files of a form when the handler has returned, but only those
// of the request that it made itself.
func TestUploadsAreDeleted(t *testing.T) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "big")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(make([]byte, 64<<10))
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	for name, panics := range map[string]bool{"returns": false, "panics": true} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			t.Setenv("TMP", temp) // for Windows
			files := func() int {
				entries, err := os.ReadDir(temp)
				if err != nil {
					t.Error(err)
				}
				return len(entries)
			}
			upload := linkauth.New(always(&ada, nil)).Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				// FormFile would do the same with more than 32 MiB.
				if err := r.ParseMultipartForm(0); err != nil {
					t.Error(err)
				}
				if files() != 1 {
					t.Errorf("got %d temporary files, want the uploaded one", files())
				}
				if panics {
					panic("a bug")
				}
			}))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { _ = recover() }()
				upload.ServeHTTP(w, r)
			}))
			defer server.Close()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader(body.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", form.FormDataContentType())
			r.Header.Set("Authorization", "Bearer lt_1")
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			server.Close() // waits until net/http has finished the request
			if files() != 0 {
				t.Errorf("%d temporary files are left", files())
			}
		})
	}
}

// Middleware outside of linkauth sees the route that matched inside, as metrics need
// it, and the request is otherwise unchanged.
func TestPattern(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("GET /usage", welcome)
	mux.HandleFunc("GET /bug", func(http.ResponseWriter, *http.Request) { panic("a bug") })
	handler := linkauth.New(always(&ada, nil)).Wrap(mux)
	for path, want := range map[string]string{"/usage": "GET /usage", "/bug": "GET /bug", "/elsewhere": ""} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer lt_1")
		func() {
			defer func() { _ = recover() }()
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}()
		if r.Pattern != want {
			t.Errorf("%s: got pattern %q, want %q", path, r.Pattern, want)
		}
		if _, ok := linkauth.FromContext(r.Context()); ok {
			t.Errorf("%s: the context of the original request has a validation", path)
		}
	}
}
