package ui

// This file owns binary forms of values: numbers, ids, MessagePack, CBOR and
// protocol buffers without their schema. Each reads the whole of the bytes or
// says that they are something else; none trusts a length that it finds there.

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// deepest is how far values may be nested.
const deepest = 32

// integer reads what Java's and most other integer serializers write.
func integer(b []byte) (string, bool) {
	switch len(b) {
	case 1:
		return strconv.Itoa(int(int8(b[0]))), true
	case 2:
		return strconv.Itoa(int(int16(binary.BigEndian.Uint16(b)))), true
	case 4:
		return strconv.Itoa(int(int32(binary.BigEndian.Uint32(b)))), true
	case 8:
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(b)), 10), true
	}
	return "", false
}

// float reads what Java's float and double serializers write.
func float(b []byte) (string, bool) {
	switch len(b) {
	case 4:
		return strconv.FormatFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(b))), 'g', -1, 32), true
	case 8:
		return strconv.FormatFloat(math.Float64frombits(binary.BigEndian.Uint64(b)), 'g', -1, 64), true
	}
	return "", false
}

func uuid(b []byte) (string, bool) {
	if len(b) != 16 {
		return "", false
	}
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], true
}

// isUUID says whether 16 bytes have the marks of an id of RFC 9562.
func isUUID(b []byte) bool {
	return len(b) == 16 && b[6]>>4 >= 1 && b[6]>>4 <= 8 && b[8]>>6 == 2
}

// out writes values as indented JSON.
type out struct {
	strings.Builder
	depth int
	tags  int // of CBOR, which nest, too
}

func (o *out) line() { o.WriteString("\n" + strings.Repeat("  ", o.depth)) }

func (o *out) text(s string) {
	raw, _ := json.Marshal(strings.ToValidUTF8(s, "\uFFFD")) // a string always can
	o.Write(raw)
}

func (o *out) bytes(b []byte) { o.text("base64:" + base64.StdEncoding.EncodeToString(b)) }

func (o *out) float(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		o.text(strconv.FormatFloat(f, 'g', -1, 64))
		return
	}
	o.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
}

// list writes n items between brackets; item is false where the bytes are wrong.
func (o *out) list(n uint64, open, shut string, item func() bool) bool {
	if o.depth >= deepest {
		return false
	}
	o.WriteString(open)
	o.depth++
	for i := range n {
		if i > 0 {
			o.WriteString(",")
		}
		o.line()
		if !item() {
			return false
		}
	}
	o.depth--
	if n > 0 {
		o.line()
	}
	o.WriteString(shut)
	return true
}

// input is what is still to be read.
type input struct{ b []byte }

func (in *input) take(n uint64) ([]byte, bool) {
	if n > uint64(len(in.b)) {
		return nil, false
	}
	b := in.b[:n]
	in.b = in.b[n:]
	return b, true
}

func (in *input) uint(size uint64) (uint64, bool) {
	b, ok := in.take(size)
	if !ok {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, true
}

// messagePack reads one value that takes all of b.
func messagePack(b []byte) (string, bool) {
	in, o := &input{b}, new(out)
	if !in.pack(o) || len(in.b) > 0 {
		return "", false
	}
	return o.String(), true
}

func (in *input) pack(o *out) bool {
	tag, ok := in.uint(1)
	if !ok {
		return false
	}
	sized := func(size uint64, f func(n uint64) bool) bool {
		n, ok := in.uint(size)
		return ok && f(n)
	}
	str := func(n uint64) bool {
		b, ok := in.take(n)
		if ok = ok && utf8.Valid(b); ok {
			o.text(string(b))
		}
		return ok
	}
	bin := func(n uint64) bool {
		b, ok := in.take(n)
		o.bytes(b)
		return ok
	}
	array := func(n uint64) bool {
		return n <= uint64(len(in.b)) && o.list(n, "[", "]", func() bool { return in.pack(o) })
	}
	object := func(n uint64) bool { return n <= uint64(len(in.b)) && in.packMap(o, n) }
	ext := func(n uint64) bool {
		b, ok := in.take(n + 1)
		if ok {
			o.bytes(b[1:])
		}
		return ok
	}
	signed := func(size uint64) bool {
		v, ok := in.uint(size)
		shift := 64 - 8*size
		o.WriteString(strconv.FormatInt(int64(v<<shift)>>shift, 10))
		return ok
	}
	switch {
	case tag < 0x80:
		o.WriteString(strconv.FormatUint(tag, 10))
	case tag < 0x90:
		return object(tag & 15)
	case tag < 0xa0:
		return array(tag & 15)
	case tag < 0xc0:
		return str(tag & 31)
	case tag >= 0xe0:
		o.WriteString(strconv.Itoa(int(int8(tag))))
	case tag == 0xc0:
		o.WriteString("null")
	case tag == 0xc2 || tag == 0xc3:
		o.WriteString(strconv.FormatBool(tag == 0xc3))
	case tag >= 0xc4 && tag <= 0xc6:
		return sized(1<<(tag-0xc4), bin)
	case tag >= 0xc7 && tag <= 0xc9:
		return sized(1<<(tag-0xc7), ext)
	case tag == 0xca:
		v, ok := in.uint(4)
		o.float(float64(math.Float32frombits(uint32(v))))
		return ok
	case tag == 0xcb:
		v, ok := in.uint(8)
		o.float(math.Float64frombits(v))
		return ok
	case tag >= 0xcc && tag <= 0xcf:
		v, ok := in.uint(1 << (tag - 0xcc))
		o.WriteString(strconv.FormatUint(v, 10))
		return ok
	case tag >= 0xd0 && tag <= 0xd3:
		return signed(1 << (tag - 0xd0))
	case tag >= 0xd4 && tag <= 0xd8:
		return ext(1 << (tag - 0xd4))
	case tag >= 0xd9 && tag <= 0xdb:
		return sized(1<<(tag-0xd9), str)
	case tag == 0xdc || tag == 0xdd:
		return sized(2<<(tag-0xdc), array)
	case tag == 0xde || tag == 0xdf:
		return sized(2<<(tag-0xde), object)
	default:
		return false
	}
	return true
}

func (in *input) packMap(o *out, n uint64) bool {
	return o.list(n, "{", "}", func() bool {
		key := new(out)
		if !in.pack(key) {
			return false
		}
		o.key(key.String())
		return in.pack(o)
	})
}

// key writes the name of a member, which JSON wants to be a string.
func (o *out) key(name string) {
	if !strings.HasPrefix(name, `"`) {
		name = strconv.Quote(name)
	}
	o.WriteString(name + ": ")
}

// cbor reads one value of RFC 8949 that takes all of b.
func cbor(b []byte) (string, bool) {
	in, o := &input{b}, new(out)
	if !in.cbor(o) || len(in.b) > 0 {
		return "", false
	}
	return o.String(), true
}

func (in *input) cbor(o *out) bool {
	head, ok := in.uint(1)
	if !ok {
		return false
	}
	major, info := head>>5, head&31
	n := info
	switch {
	case info >= 24 && info <= 27:
		if n, ok = in.uint(1 << (info - 24)); !ok {
			return false
		}
	case info > 27: // lengths that are not told before: seldom, and left to hex
		return false
	}
	switch major {
	case 0:
		o.WriteString(strconv.FormatUint(n, 10))
	case 1:
		if n > math.MaxInt64 {
			return false
		}
		o.WriteString(strconv.FormatInt(-1-int64(n), 10))
	case 2:
		b, ok := in.take(n)
		o.bytes(b)
		return ok
	case 3:
		b, ok := in.take(n)
		if !ok || !utf8.Valid(b) {
			return false
		}
		o.text(string(b))
	case 4:
		return n <= uint64(len(in.b)) && o.list(n, "[", "]", func() bool { return in.cbor(o) })
	case 5:
		return n <= uint64(len(in.b)) && o.list(n, "{", "}", func() bool {
			key := new(out)
			if !in.cbor(key) {
				return false
			}
			o.key(key.String())
			return in.cbor(o)
		})
	case 6: // a tag: the value behind it
		o.tags++
		return o.tags <= deepest && in.cbor(o)
	default:
		return simple(o, info, n)
	}
	return true
}

func simple(o *out, info, n uint64) bool {
	switch info {
	case 20, 21:
		o.WriteString(strconv.FormatBool(info == 21))
	case 22, 23:
		o.WriteString("null")
	case 25:
		o.float(half(uint16(n)))
	case 26:
		o.float(float64(math.Float32frombits(uint32(n))))
	case 27:
		o.float(math.Float64frombits(n))
	default:
		return false
	}
	return true
}

// half is a float of 16 bits.
func half(v uint16) float64 {
	exp, mant := int(v>>10)&31, float64(v&1023)
	f := math.Ldexp(mant+1024, exp-25)
	switch exp {
	case 0:
		f = math.Ldexp(mant, -24)
	case 31:
		f = math.Inf(1)
		if mant != 0 {
			f = math.NaN()
		}
	}
	if v>>15 == 1 {
		return -f
	}
	return f
}

// protobuf reads fields of a message that takes all of b. Without its schema
// they have numbers for names, and what is a message, a text or bytes is a guess.
func protobuf(b []byte) (string, bool) {
	o := new(out)
	if len(b) == 0 || !protoFields(o, b) {
		return "", false
	}
	return o.String(), true
}

func protoFields(o *out, b []byte) bool {
	if o.depth >= deepest {
		return false
	}
	o.WriteString("{")
	o.depth++
	for first := true; len(b) > 0; first = false {
		tag, n := binary.Uvarint(b)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return false
		}
		b = b[n:]
		if !first {
			o.WriteString(",")
		}
		o.line()
		o.key(strconv.FormatUint(tag>>3, 10))
		switch tag & 7 {
		case 0:
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return false
			}
			o.WriteString(strconv.FormatUint(v, 10))
			b = b[n:]
		case 1:
			if len(b) < 8 {
				return false
			}
			o.float(math.Float64frombits(binary.LittleEndian.Uint64(b)))
			b = b[8:]
		case 5:
			if len(b) < 4 {
				return false
			}
			o.float(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
			b = b[4:]
		case 2:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return false
			}
			protoBytes(o, b[n:n+int(size)])
			b = b[n+int(size):]
		default:
			return false
		}
	}
	o.depth--
	o.line()
	o.WriteString("}")
	return true
}

// protoBytes writes a text, or else a message, or else bytes.
func protoBytes(o *out, b []byte) {
	if kindOf(b) == "text" {
		o.text(string(b))
		return
	}
	inner := &out{depth: o.depth}
	if len(b) > 0 && protoFields(inner, b) {
		o.WriteString(inner.String())
		return
	}
	o.bytes(b)
}
