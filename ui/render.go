package ui

// This file owns turning views into HTML.

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed templates
var templateFiles embed.FS

// frame is what surrounds every page.
type frame struct {
	lang    *language
	Lang    string
	Theme   string // light, dark or system
	Path    string // of this page, with its query
	Section string // overview, topics, groups or brokers
	Form    url.Values
	Problem *problem
	Done    string // key of the text that says what was done
	DoneAt  url.Values
	View    any
	Inner   bool           // the broker is in this process, and tells what happens inside
	Present bool           // large, for a projector
	Counts  map[string]int // of pages of the menu that have something to tell
}

func frameOf(r *http.Request) *frame {
	l := languageOf(r)
	f := &frame{lang: l, Lang: l.code, Theme: "system", Form: r.Form, Path: r.URL.EscapedPath()}
	if c, err := r.Cookie("minibroker_theme"); err == nil && (c.Value == "light" || c.Value == "dark") {
		f.Theme = c.Value
	}
	q := r.URL.Query()
	if done := "done." + q.Get("done"); q.Has("done") && l.texts[done] != "" {
		f.Done, f.DoneAt = done, q
	}
	f.Present = q.Get("present") == "1"
	if r.Method == http.MethodGet {
		q.Del("done")
		if len(q) > 0 {
			f.Path += "?" + q.Encode()
		}
	}
	switch section, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); section {
	case "":
		f.Section = "overview"
	case "topics", "create-topic":
		f.Section = "topics"
	default:
		f.Section = section
	}
	return f
}

// Value is what the form's field holds.
func (f *frame) Value(name string) string { return f.Form.Get(name) }

// Or is what the form's field holds, or else a default.
func (f *frame) Or(name, byDefault string) string {
	if f.Form.Has(name) {
		return f.Form.Get(name)
	}
	return byDefault
}

// Resized is this page for a projector, or else from there in its normal size.
func (f *frame) Resized() string {
	path, query, _ := strings.Cut(f.Path, "?")
	q, _ := url.ParseQuery(query) // as written by frameOf
	if f.Present {
		q.Del("present")
	} else {
		q.Set("present", "1")
	}
	return path + "?" + q.Encode()
}

// Themes are what a reader may choose.
func (f *frame) Themes() []string { return []string{"system", "light", "dark"} }

// Sections are the pages of the menu.
func (f *frame) Sections() []string {
	all := []string{"overview", "topics", "groups", "transactions", "brokers", "security"}
	if f.Inner {
		all = append(all, "lab", "wire", "events", "doctor", "faults", "clock")
	}
	return all
}

// shortcut is what keys do; app.js does it.
type shortcut struct {
	Keys []string
	Text string // key of what it does
}

// Keys are the shortcuts that the page has.
func (f *frame) Keys() []shortcut {
	all := []shortcut{{[]string{"g", "o"}, "nav.overview"}, {[]string{"g", "t"}, "nav.topics"}, {[]string{"g", "g"}, "nav.groups"}, {[]string{"g", "x"}, "nav.transactions"}, {[]string{"g", "b"}, "nav.brokers"}, {[]string{"g", "s"}, "nav.security"}}
	if f.Inner {
		all = append(all, []shortcut{{[]string{"g", "l"}, "nav.lab"}, {[]string{"g", "w"}, "nav.wire"}, {[]string{"g", "e"}, "nav.events"}, {[]string{"g", "d"}, "nav.doctor"}, {[]string{"g", "f"}, "nav.faults"}, {[]string{"g", "c"}, "nav.clock"}}...)
	}
	return append(all, []shortcut{{[]string{"/"}, "keys.search"}, {[]string{"j"}, "keys.down"}, {[]string{"k"}, "keys.up"}, {[]string{"Enter"}, "keys.open"}, {[]string{"t"}, "keys.tail"}, {[]string{"p"}, "keys.send"}, {[]string{"f"}, "keys.present"}, {[]string{"?"}, "keys.help"}, {[]string{"Esc"}, "close"}}...)
}

// ids lists partitions or brokers.
func ids(all []int32) string {
	texts := make([]string, len(all))
	for i, id := range all {
		texts[i] = strconv.Itoa(int(id))
	}
	return strings.Join(texts, ", ")
}

// spans lists partitions, three and more in a row as the first and the last.
func spans(all []int32) string {
	var texts []string
	for i := 0; i < len(all); {
		j := i
		for j+1 < len(all) && all[j+1] == all[j]+1 {
			j++
		}
		if j-i < 2 {
			j = i
		}
		text := strconv.Itoa(int(all[i]))
		if j > i {
			text += "–" + strconv.Itoa(int(all[j]))
		}
		texts = append(texts, text)
		i = j + 1
	}
	return strings.Join(texts, ", ")
}

// pageSet is every page's template in each language, parsed when the first page is
// asked for: a broker that only serves Kafka starts sooner and smaller. A bad
// template fails the tests.
var pageSet = sync.OnceValue(parse)

func parse() map[string]map[string]*template.Template {
	sets := map[string]map[string]*template.Template{}
	for code, l := range languages() {
		sets[code] = map[string]*template.Template{}
		shared := template.Must(template.New("layout.html").Funcs(functions(l)).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
		entries, _ := templateFiles.ReadDir("templates") // embedded: it is there
		for _, e := range entries {
			name := strings.TrimSuffix(e.Name(), ".html")
			if name == "layout" || name == "parts" {
				continue
			}
			sets[code][name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, "templates/"+e.Name()))
		}
	}
	return sets
}

// functions are what templates of one language may call.
func functions(l *language) template.FuncMap {
	return template.FuncMap{
		"t":            l.text,
		"plural":       l.plural,
		"n":            l.number,
		"decimal":      l.decimal,
		"size":         l.size,
		"securitytabs": func() []string { return securityTabs },
		"millis":       l.millis,
		"json":         func(v any) (string, error) { raw, err := json.Marshal(v); return string(raw), err },
		"api":          func(name string) string { return l.textOr("api."+name, "") },
		"advice":       func(why string, port uint16) string { return l.text("doctor.advice."+why, port) },
		"asset":        asset,
		"seg":          url.PathEscape,
		"show":         visible,
		"join":         strings.Join,
		"next":         func() []string { return nextPages },
		"split":        func(list string) []string { return strings.Split(list, ",") },
		"time":         moment,
		"ids":          ids,
		"spans":        spans,
		"minus":        func(n int64) int64 { return -n },
		"decimal1":     func(f float64) string { return strings.Replace(strconv.FormatFloat(f, 'f', 1, 64), ".", l.point, 1) },
		"explained":    func(f finding) string { return l.text("explain."+f.Key, f.Args...) },
		"words":        func(p *problem) string { return l.text(p.Key, p.Args...) },
		"tabs":         func(name, tab string) map[string]string { return map[string]string{"Name": name, "Tab": tab} },
		"row":          func(topic string, m messageRow) map[string]any { return map[string]any{"Topic": topic, "Row": m} },
		"rows":         func(f *frame, rows []configRow) map[string]any { return map[string]any{"Frame": f, "Rows": rows} },
		"other": func() string {
			if l.code == "en" {
				return "fr"
			}
			return "en"
		},
	}
}

// moment is a time as machines read it and as people do without a script,
// which puts it in their zone.
func moment(t time.Time) map[string]string {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return map[string]string{"Machine": t.Format("2006-01-02T15:04:05.000Z"), "Human": t.Format("2006-01-02 15:04:05.000 UTC")}
}

func render(page string, f *frame) ([]byte, error) {
	var out bytes.Buffer
	err := pageSet()[f.Lang][page].ExecuteTemplate(&out, "layout.html", f)
	return out.Bytes(), err
}
