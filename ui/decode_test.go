package ui

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestValuesAreGuessedAndForced(t *testing.T) {
	for _, c := range []struct{ hex, form, kind, text string }{
		{"7b2261223a317d", "auto", "json", "{\n  \"a\": 1\n}"},
		{"31", "auto", "text", "1"},
		{"0000002a", "auto", "int", "42"},
		{"ffffffffffffffff", "auto", "int", "-1"},
		{"3ff8000000000000", "float", "float", "1.5"},
		{"550e8400e29b41d4a716446655440000", "auto", "uuid", "550e8400-e29b-41d4-a716-446655440000"},
		{"82a7636f6d70616374c3a6736368656d6100", "auto", "msgpack", "{\n  \"compact\": true,\n  \"schema\": 0\n}"},
		{"93cd03e8d0fbcb3ff8000000000000", "auto", "msgpack", "[\n  1000,\n  -5,\n  1.5\n]"},
		{"a26161016162820203", "auto", "cbor", "{\n  \"a\": 1,\n  \"b\": [\n    2,\n    3\n  ]\n}"},
		{"d9d9f7a1616ff93e00", "auto", "cbor", "{\n  \"o\": 1.5\n}"},
		{"089601120568656c6c6f1a03089601", "auto", "protobuf", "{\n  \"1\": 150,\n  \"2\": \"hello\",\n  \"3\": {\n    \"1\": 150\n  }\n}"},
		{"ff00ff", "auto", "hex", ""},
		{"686a", "base64", "base64", "aGo="},
		{"686a6b", "int", "text", "hjk"},
		{"", "auto", "empty", ""},
		// Lengths that lie, and nesting without end.
		{"dfffffffff00", "msgpack", "hex", ""},
		{"9b7fffffffffffffff00", "cbor", "hex", ""},
		{"0affffffffffffffff7f", "protobuf", "hex", ""},
		{strings.Repeat("91", 5000) + "01", "msgpack", "hex", ""},
		{strings.Repeat("81", 5000) + "01", "cbor", "hex", ""},
		{strings.Repeat("c1", 5000) + "01", "cbor", "hex", ""},
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		d := decode(b, c.form, 1000)
		if d.Kind != c.kind || c.text != "" && d.Text != c.text {
			t.Errorf("%.20s… as %s is %s %q, want %s %q", c.hex, c.form, d.Kind, d.Text, c.kind, c.text)
		}
		if c.form != "auto" && c.form != c.kind && d.Wrong != c.form {
			t.Errorf("%.20s… is not said to be no %s", c.hex, c.form)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"\x82\xa7compact\xc3\xa6schema\x00", "\xa2aa\x01ab\x82\x02\x03", "\x08\x96\x01\x12\x05hello", "{}", "\xdf\xff\xff\xff\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, form := range decodings {
			d := decode(b, form, 64)
			if strings.ContainsAny(d.Text, "\x1b\x00\u202e") || len(d.Text) > 4*64+4096 {
				t.Errorf("%x as %s is %d bytes: %q", b, form, len(d.Text), d.Text)
			}
		}
	})
}
