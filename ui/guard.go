package ui

// This file owns what keeps other sites' pages away from this one, and the
// files that pages are made of.

import (
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path"
	"strings"
	"sync"
)

//go:embed static
var staticFiles embed.FS

// guard refuses what a page of another site could send. A site's name can be
// pointed at this machine (DNS rebinding), so the Host must be a name that
// nobody can register: an address, a name without dots, or one of a private
// zone. Forms from another origin are refused by their Origin or
// Sec-Fetch-Site header.
func guard(next http.Handler) http.Handler {
	own := http.NewCrossOriginProtection()
	own.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, say(http.StatusForbidden, "problem.origin"))
	}))
	protected := own.Handler(next)
	self, _ := os.Hostname()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		if !private(hostOf(r), self) {
			refuse(w, r, say(http.StatusMisdirectedRequest, "problem.host", hostOf(r)))
			return
		}
		protected.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		p := explain(err)
		body, _ := json.Marshal(map[string]any{ // texts and a number: nothing that could fail
			"title": http.StatusText(p.status), "status": p.status, "detail": p.Error(),
			"remedy": "Use a program that is no web page, and http://localhost or the broker's address.",
		})
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(p.status)
		_, _ = w.Write(append(body, '\n')) // the client went away
		return
	}
	(&site{}).write(w, r, "problem", nil, err)
}

// hostOf is the Host header without its port and brackets.
func hostOf(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// private says whether host is a name that nobody outside can own.
func private(host, self string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host != "" && !strings.Contains(host, ".") || strings.EqualFold(host, self) {
		return true
	}
	for _, zone := range []string{".localhost", ".local", ".lan", ".internal", ".home.arpa", ".test"} {
		if strings.HasSuffix(host, zone) {
			return true
		}
	}
	return false
}

// file is a static file, ready to send.
type file struct {
	body []byte
	tag  string // content hash
	mime string
}

var files = sync.OnceValue(func() map[string]file {
	types := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8"}
	all := map[string]file{}
	entries, _ := fs.ReadDir(staticFiles, "static") // embedded: it is there
	for _, e := range entries {
		body, _ := staticFiles.ReadFile("static/" + e.Name())
		sum := sha256.Sum256(body)
		all[e.Name()] = file{body, hex.EncodeToString(sum[:8]), types[path.Ext(e.Name())]}
	}
	return all
})

// asset is the address of a static file. It changes with the content, so that
// browsers may keep it for ever.
func asset(name string) string { return "/static/" + name + "?v=" + files()[name].tag }

func static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files()[strings.TrimPrefix(r.URL.Path, "/static/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.mime)
		h.Set("ETag", `"`+f.tag+`"`)
		h.Set("Cache-Control", "no-cache")
		if r.URL.Query().Get("v") == f.tag {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		if r.Header.Get("If-None-Match") == `"`+f.tag+`"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		send(w, r, http.StatusOK, f.body)
	})
}

// send writes body, compressed if it is worth it and the client takes it.
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Add("Vary", "Accept-Encoding")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	if len(body) < 1024 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		_, _ = w.Write(body) // the client went away
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := gzip.NewWriter(w)
	_, _ = z.Write(body)
	_ = z.Close()
}
