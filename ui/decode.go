package ui

// This file owns how bytes of records become text that is safe to look at.

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How much of a key or value is shown: in a list, and on a record's own page.
const (
	previewBytes = 2 << 10
	recordBytes  = 256 << 10
)

// decoded is a key, a value or a header's value.
type decoded struct {
	Kind  string `json:"kind"` // null, empty, text, json or hex
	Text  string `json:"text"`
	Line  string `json:"-"`               // the start of it on one line
	Bytes int    `json:"bytes"`           // of the whole
	Cut   bool   `json:"cut,omitempty"`   // Text is the start only
	Wrong string `json:"wrong,omitempty"` // the form asked for that it does not have
}

// decode shows at most limit bytes of b, in the form asked for: auto, text,
// json or hex. Auto takes JSON objects and arrays, then text, then hex.
func decode(b []byte, form string, limit int) decoded {
	d := decoded{Bytes: len(b)}
	switch {
	case b == nil:
		d.Kind = "null"
		return d
	case len(b) == 0:
		d.Kind = "empty"
		return d
	}
	shown := b
	if len(b) > limit {
		shown, d.Cut = b[:limit], true
		for i := 0; i < utf8.UTFMax && len(shown) > 0 && !utf8.RuneStart(b[len(shown)]); i++ {
			shown = shown[:len(shown)-1] // not through the middle of a letter
		}
	}
	switch form {
	case "hex":
		d.Kind = "hex"
	case "text":
		d.Kind = "text"
	case "json":
		d.Kind = "json"
		if !json.Valid(b) {
			d.Kind, d.Wrong = kindOf(shown), "json"
		}
	default:
		d.Kind = kindOf(shown)
		if first := bytes.TrimLeft(b, " \t\r\n"); d.Kind == "text" && len(first) > 0 && (first[0] == '{' || first[0] == '[') && json.Valid(b) {
			d.Kind = "json"
		}
	}
	switch d.Kind {
	case "hex":
		d.Text = strings.TrimSuffix(hex.Dump(shown), "\n")
		d.Line = spaced(shown[:min(len(shown), 24)])
		return d
	case "json":
		var out bytes.Buffer
		if !d.Cut && json.Indent(&out, b, "", "  ") == nil {
			d.Text, d.Line = visible(out.String()), oneline(visible(string(b)))
			return d
		}
	}
	d.Text = visible(string(shown))
	d.Line = oneline(d.Text)
	return d
}

// kindOf is text, unless b has bytes that no text has.
func kindOf(b []byte) string {
	if !utf8.Valid(b) {
		return "hex"
	}
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != 0x1b {
			return "hex"
		}
	}
	return "text"
}

// visible makes what would act on a terminal or reorder the line be seen.
func visible(s string) string {
	var out strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '\n' || r == '\t':
			out.WriteRune(r)
		case r < ' ':
			out.WriteRune(0x2400 + r) // the picture of the control character
		case r == 0x7f:
			out.WriteRune(0x2421)
		case unicode.In(r, unicode.Cf, unicode.Cc) && r != 0x200d: // joined emoji stay
			fmt.Fprintf(&out, "\\u%04X", r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func oneline(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > 160 {
		return string([]rune(s)[:160]) + "…"
	}
	return s
}

func spaced(b []byte) string { return strings.TrimSpace(fmt.Sprintf("% x", b)) }
