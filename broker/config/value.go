package config

// This file owns values: text to value and back, as Java's and Kafka's
// ConfigDef.parseType and convertToString do it.

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"minibroker/internal/lazy"
)

// badValue is ConfigException's text for a value.
func badValue(name, value, reason string) *Error {
	return invalidConfig("Invalid value " + value + " for configuration " + name + ": " + reason)
}

// parse turns text into a value and checks it: bool, int64, float64, string or
// []string by the config's type.
func (d *Def) parse(text string) (any, *Error) {
	v, err := parseType(d.Name, d.Type, text)
	if err != nil || d.rule.text == "" {
		return v, err
	}
	return v, d.rule.compiled()(d.Name, v)
}

// defaultValue is the parsed default, false where that is null. It is parsed
// once: a process may start thousands of brokers.
func (d *Def) defaultValue() (any, bool) {
	if v := d.parsed.Load(); v != nil {
		return *v, true
	}
	if d.Default == nil {
		return nil, false
	}
	v, err := d.parse(*d.Default)
	if err != nil {
		panic(err) // a test holds that all defaults are valid
	}
	d.parsed.Store(&v)
	return v, true
}

func parseType(name string, t Type, text string) (any, *Error) {
	// Java's String.trim, not Unicode's white space.
	trimmed := strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	switch t {
	case TypeBoolean:
		switch {
		case strings.EqualFold(trimmed, "true"):
			return true, nil
		case strings.EqualFold(trimmed, "false"):
			return false, nil
		}
		return nil, badValue(name, text, "Expected value to be either true or false")
	case TypeInt, TypeShort, TypeLong:
		bits := 64
		switch t {
		case TypeInt:
			bits = 32
		case TypeShort:
			bits = 16
		}
		n, err := strconv.ParseInt(trimmed, 10, bits)
		if err != nil {
			return nil, badValue(name, text, "Not a number of type "+t.String())
		}
		return n, nil
	case TypeDouble:
		f, ok := parseDouble(trimmed)
		if !ok {
			return nil, badValue(name, text, "Not a number of type "+t.String())
		}
		return f, nil
	case TypeList:
		return splitList(trimmed), nil
	}
	return trimmed, nil
}

// splitList splits at commas, trims, and drops repeated elements as Kafka 4
// does. An empty text is an empty list.
func splitList(text string) []string {
	list := []string{}
	if text == "" {
		return list
	}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); !slices.Contains(list, part) {
			list = append(list, part)
		}
	}
	return list
}

var decimal = lazy.Regexp(`^([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)[fFdD]?$`)

// parseDouble reads a decimal number as Java's Double.parseDouble does: with
// NaN and Infinity in these spellings only, and a type suffix.
func parseDouble(text string) (float64, bool) {
	switch text {
	case "NaN", "+NaN", "-NaN":
		return math.NaN(), true
	case "Infinity", "+Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	m := decimal().FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	// Out of range is an infinity, in Java too.
	f, _ := strconv.ParseFloat(m[1], 64)
	return f, true
}

// format is a value's text as Kafka shows it.
func format(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return formatDouble(v)
	case []string:
		return strings.Join(v, ",")
	case string:
		return v
	}
	return ""
}

// formatDouble is Java's Double.toString.
func formatDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	withFraction := func(s string) string {
		if strings.Contains(s, ".") {
			return s
		}
		return s + ".0"
	}
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		return withFraction(strconv.FormatFloat(f, 'f', -1, 64))
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	n, _ := strconv.Atoi(exponent)
	return withFraction(mantissa) + "E" + strconv.Itoa(n)
}
