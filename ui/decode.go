package ui

// This file owns how bytes of records become text that is safe to look at.

import (
	"bytes"
	"encoding/base64"
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
	Kind  string `json:"kind"` // null, empty, or one of decodings but auto
	Text  string `json:"text"`
	Line  string `json:"-"`               // the start of it on one line
	Bytes int    `json:"bytes"`           // of the whole
	Cut   bool   `json:"cut,omitempty"`   // Text is the start only
	Wrong string `json:"wrong,omitempty"` // the form asked for that it does not have
}

// decodings are the forms that a reader may force.
var decodings = []string{"auto", "text", "json", "hex", "base64", "int", "float", "uuid", "msgpack", "cbor", "protobuf"}

// binaries are the forms that take the whole of the bytes.
var binaries = map[string]func([]byte) (string, bool){
	"int": integer, "float": float, "uuid": uuid, "msgpack": messagePack, "cbor": cbor, "protobuf": protobuf,
}

// decode shows at most limit bytes of b, in the form asked for. Auto guesses:
// JSON objects and arrays, then text, then what binary data tells of itself,
// then hex.
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
	d.Kind = form
	if form == "auto" {
		d.Kind = guess(b, shown)
	}
	if read := binaries[d.Kind]; read != nil {
		text, ok := "", false
		if len(b) <= min(recordBytes, 16*limit) { // decoded, it may take many times its size
			text, ok = read(b)
		}
		if ok {
			d.Cut = len(text) > 4*limit
			if d.Cut {
				text = text[:4*limit]
			}
			d.Text = visible(text)
			d.Line = oneline(d.Text)
			return d
		}
		d.Wrong, d.Kind = d.Kind, kindOf(shown)
	}
	if d.Kind == "json" && !json.Valid(b) {
		d.Kind, d.Wrong = kindOf(shown), "json"
	}
	switch d.Kind {
	case "hex":
		d.Text = strings.TrimSuffix(hex.Dump(shown), "\n")
		d.Line = spaced(shown[:min(len(shown), 24)])
		return d
	case "base64":
		d.Text = base64.StdEncoding.EncodeToString(shown)
		d.Line = oneline(d.Text)
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

// guess is the form of b, of which shown is the start. Numbers and small
// messages look alike, so only what is marked as an id, or is a map, a list or
// a message through and through, is taken for one.
func guess(b, shown []byte) string {
	if kindOf(shown) == "text" {
		if first := bytes.TrimLeft(b, " \t\r\n"); len(first) > 0 && (first[0] == '{' || first[0] == '[') && json.Valid(b) {
			return "json"
		}
		return "text"
	}
	if len(b) > recordBytes {
		return "hex"
	}
	switch {
	case isUUID(b):
		return "uuid"
	case len(b) == 4 || len(b) == 8:
		return "int"
	}
	container := b[0]&0xf0 == 0x80 || b[0]&0xf0 == 0x90 || b[0] >= 0xdc && b[0] <= 0xdf
	if _, ok := messagePack(b); ok && container {
		return "msgpack"
	}
	if _, ok := cbor(b); ok && (b[0]>>5 == 4 || b[0]>>5 == 5 || b[0]>>5 == 6) {
		return "cbor"
	}
	if _, ok := protobuf(b); ok {
		return "protobuf"
	}
	return "hex"
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
