package ui

// This file owns languages: the texts, which one a reader gets, and how numbers
// are written in it.

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

//go:embed i18n
var i18nFiles embed.FS

// fallback is the language of readers who ask for one that is not here.
const fallback = "en"

// language is one language's texts.
type language struct {
	code  string
	texts map[string]string
	group string // between thousands
	point string // before decimals
	units [5]string
	one   func(n int64) bool // takes the singular
}

// languages are all there are, read when the first page is asked for: a start
// need not wait for them.
var languages = sync.OnceValue(func() map[string]*language {
	return map[string]*language{
		"en": load("en", ",", ".", [5]string{"B", "KB", "MB", "GB", "TB"}, func(n int64) bool { return n == 1 }),
		"fr": load("fr", "\u202f", ",", [5]string{"o", "Ko", "Mo", "Go", "To"}, func(n int64) bool { return n == 0 || n == 1 }),
	}
})

func load(code, group, point string, units [5]string, one func(int64) bool) *language {
	l := &language{code: code, group: group, point: point, units: units, one: one}
	raw, err := i18nFiles.ReadFile("i18n/" + code + ".json")
	if err == nil {
		err = json.Unmarshal(raw, &l.texts)
	}
	if err != nil { // embedded: a test sees it before anyone else
		panic("i18n/" + code + ".json: " + err.Error())
	}
	return l
}

// text is the text of key with its arguments put in.
func (l *language) text(key string, args ...any) string {
	t, ok := l.texts[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return t
	}
	return fmt.Sprintf(t, args...)
}

// textOr is the text of key, or else another.
func (l *language) textOr(key, other string) string {
	if t, ok := l.texts[key]; ok {
		return t
	}
	return other
}

// plural is the text of key.one or key.other, with the number put in.
func (l *language) plural(key string, n any) string {
	v := whole(n)
	if l.one(v) {
		return l.text(key+".one", l.number(v))
	}
	return l.text(key+".other", l.number(v))
}

// whole makes templates' integers alike.
func whole(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int16:
		return int64(n)
	case int32:
		return int64(n)
	case int64:
		return n
	}
	panic(fmt.Sprintf("%T is not an integer", n))
}

// number writes an integer with its thousands apart.
func (l *language) number(n any) string {
	digits := strconv.FormatInt(whole(n), 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + l.group + digits[i:]
	}
	return sign + digits
}

// decimal writes a metric's value.
func (l *language) decimal(f float64) string {
	if f == float64(int64(f)) {
		return l.number(int64(f))
	}
	return strings.Replace(strconv.FormatFloat(f, 'f', 3, 64), ".", l.point, 1)
}

// millis writes milliseconds, short ones to a tenth.
func (l *language) millis(f float64) string {
	if f > 0 && f < 0.05 {
		return "<0" + l.point + "1"
	}
	if f >= 100 {
		return l.number(int64(f))
	}
	return strings.Replace(strconv.FormatFloat(f, 'f', 1, 64), ".", l.point, 1)
}

// size writes a number of bytes.
func (l *language) size(n any) string {
	v, unit := float64(whole(n)), 0
	for v >= 1000 && unit < len(l.units)-1 {
		v, unit = v/1000, unit+1
	}
	digits := 1
	if unit == 0 || v >= 100 {
		digits = 0
	}
	return strings.Replace(strconv.FormatFloat(v, 'f', digits, 64), ".", l.point, 1) + "\u00a0" + l.units[unit]
}

// languageOf is what the reader chose, or else what the browser asks for.
func languageOf(r *http.Request) *language {
	if c, err := r.Cookie("minibroker_lang"); err == nil {
		if l, ok := languages()[c.Value]; ok {
			return l
		}
	}
	best, weight := languages()[fallback], 0.0
	for _, part := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			q, _ = strconv.ParseFloat(text, 64)
		}
		base, _, _ := strings.Cut(strings.ToLower(tag), "-")
		if l, ok := languages()[base]; ok && q > weight {
			best, weight = l, q
		}
	}
	return best
}

// choose keeps the reader's language or theme and goes back to the page.
func choose(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	set := func(name, value string, allowed ...string) {
		for _, a := range allowed {
			if value == a {
				http.SetCookie(w, &http.Cookie{Name: "minibroker_" + name, Value: value, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
			}
		}
	}
	set("lang", q.Get("lang"), "en", "fr")
	set("theme", q.Get("theme"), "light", "dark", "system")
	back := q.Get("back")
	// Only a path of this site: //host and /\host lead elsewhere.
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n") {
		back = "/"
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}
