package config

// This file owns the rules that values must meet, with Kafka's texts
// (ConfigDef's validators). A rule is written as in the tables:
//
//	>= 1            at least
//	0 .. 1          between
//	in a|b          one of
//	anycase A|B     one of, in any case
//	list a|b        a list of these, may be empty; "list" alone: of anything
//	list+ a|b       the same, not empty
//	nonempty        a string that is not empty
//	gzip            a gzip level
//	replicas        partition:broker pairs, or *
//	reset           share.auto.offset.reset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"minibroker/internal/lazy"
)

// rule checks a parsed value.
type rule func(name string, v any) *Error

// lazyRule is a rule of a table, read when a value is first held against it: a
// process starts sooner. An empty text is no rule.
type lazyRule struct {
	text string
	once sync.Once
	rule rule
}

func (l *lazyRule) compiled() rule {
	l.once.Do(func() {
		var err error
		if l.rule, err = compileRule(l.text); err != nil {
			panic("config: " + err.Error()) // a test reads them all
		}
	})
	return l.rule
}

func compileRule(text string) (rule, error) {
	if low, high, ok := strings.Cut(text, " .. "); ok {
		return compileRange(low, high)
	}
	word, rest, _ := strings.Cut(text, " ")
	var choices []string
	if rest != "" {
		choices = strings.Split(rest, "|")
	}
	switch word {
	case ">=":
		return compileRange(rest, "")
	case "in":
		return oneOf(choices), nil
	case "anycase":
		return oneOfAnyCase(choices), nil
	case "list":
		return listOf(choices, true), nil
	case "list+":
		return listOf(choices, false), nil
	case "nonempty":
		return nonEmpty, nil
	case "gzip":
		return gzipLevel, nil
	case "replicas":
		return throttledReplicas, nil
	case "reset":
		return shareOffsetReset, nil
	}
	return nil, fmt.Errorf("unknown rule %q", text)
}

func compileRange(low, high string) (rule, error) {
	minimum, err := strconv.ParseFloat(low, 64)
	if err != nil {
		return nil, err
	}
	maximum := minimum
	if high != "" {
		if maximum, err = strconv.ParseFloat(high, 64); err != nil {
			return nil, err
		}
	}
	return func(name string, v any) *Error {
		n, ok := v.(float64)
		if i, isInt := v.(int64); isInt {
			n, ok = float64(i), true
		}
		switch {
		case !ok:
			return badValue(name, format(v), "Value must be non-null")
		case n < minimum:
			return badValue(name, format(v), "Value must be at least "+low)
		case high != "" && n > maximum:
			return badValue(name, format(v), "Value must be no more than "+high)
		}
		return nil
	}, nil
}

func oneOf(choices []string) rule {
	return func(name string, v any) *Error {
		if s, _ := v.(string); !slices.Contains(choices, s) {
			return badValue(name, s, "String must be one of: "+strings.Join(choices, ", "))
		}
		return nil
	}
}

func oneOfAnyCase(choices []string) rule {
	return func(name string, v any) *Error {
		s, _ := v.(string)
		if !slices.ContainsFunc(choices, func(c string) bool { return strings.EqualFold(c, s) }) {
			return badValue(name, s, "String must be one of (case insensitive): "+strings.Join(choices, ", "))
		}
		return nil
	}
}

func listOf(choices []string, mayBeEmpty bool) rule {
	valid := "any non-empty value"
	each := func(string, any) *Error { return nil }
	if choices != nil {
		valid = "[" + strings.Join(choices, ", ") + "]"
		each = oneOf(choices)
	}
	return func(name string, v any) *Error {
		list, _ := v.([]string)
		if len(list) == 0 && !mayBeEmpty {
			return invalidConfig("Configuration '" + name + "' must not be empty. Valid values include: " + valid)
		}
		if slices.Contains(list, "") {
			return invalidConfig("Configuration '" + name + "' values must not be empty.")
		}
		for _, s := range list {
			if err := each(name, s); err != nil {
				return err
			}
		}
		return nil
	}
}

func nonEmpty(name string, v any) *Error {
	if s, _ := v.(string); s == "" {
		return badValue(name, s, "String must be non-empty")
	}
	return nil
}

func gzipLevel(name string, v any) *Error {
	if n, _ := v.(int64); n != -1 && (n < 1 || n > 9) {
		return badValue(name, format(v), "Value must be between 1 and 9 or equal to -1")
	}
	return nil
}

// Expressions are compiled when one is needed: a process starts sooner.
var replicaPair = lazy.Regexp(`^[0-9]+:[0-9]+$`)

func throttledReplicas(name string, v any) *Error {
	list, _ := v.([]string)
	if slices.Equal(list, []string{"*"}) || !slices.ContainsFunc(list, func(s string) bool { return !replicaPair().MatchString(s) }) {
		return nil
	}
	return badValue(name, "["+strings.Join(list, ", ")+"]",
		name+" must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...")
}

// isoDuration is what java.time.Duration.parse reads; at least one part must
// be there, also after T.
var isoDuration = lazy.Regexp(`(?i)^[-+]?P([-+]?[0-9]+D)?(T([-+]?[0-9]+H)?([-+]?[0-9]+M)?([-+]?[0-9]+([.,][0-9]{0,9})?S)?)?$`)

func shareOffsetReset(name string, v any) *Error {
	s, _ := v.(string)
	if s == "latest" || s == "earliest" {
		return nil
	}
	if d, ok := strings.CutPrefix(s, "by_duration:"); ok && isoDuration().MatchString(d) &&
		strings.ContainsAny(d, "0123456789") && !strings.HasSuffix(strings.ToUpper(d), "T") && !strings.Contains(d, "-") {
		return nil
	}
	return badValue(name, s, "Invalid value `"+s+"` for configuration "+name+
		". The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.")
}
