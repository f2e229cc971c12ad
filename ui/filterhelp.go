package ui

// This file owns what to do about a filter that is no expression, or that cannot
// judge a message: the usual mistakes, each with an expression that does without.

import (
	"regexp"
	"strings"

	"minibroker/internal/lazy"
)

// advised is what to do about a filter.
type advised struct {
	Key  string `json:"about"` // of the text, after filter.
	Name string `json:"value"` // that the text is about; empty: none
	Try  string `json:"try"`   // an expression that may be meant; empty: none
}

// filterAdvice are all that advice is about.
var filterAdvice = []string{"missing", "header", "kind", "index", "compare", "large", "name", "function", "equals", "words", "list"}

// They are compiled when one is needed: the program starts sooner.
var (
	missingKey  = lazy.Regexp(`no such key: (.+)$`)
	undeclared  = lazy.Regexp(`undeclared reference to '([^']+)'`)
	identifier  = lazy.Regexp(`^[A-Za-z_][A-Za-z0-9_]*$`)
	oneEquals   = lazy.Regexp(`([^=!<>])=([^=])`)
	quoted      = lazy.Regexp(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'`)
	wordOperand = lazy.Regexp(`(?i)\b(and|or|not)\b`)
)

// advise finds what to do about why an expression failed; nil: nobody knows.
func advise(expression, why string) *advised {
	has := func(text string) bool { return strings.Contains(why, text) }
	guard := func(condition string) string { return condition + " && (" + expression + ")" }
	bare := quoted().ReplaceAllString(expression, `""`) // without what is in texts
	switch {
	case missingKey().MatchString(why):
		return missing(expression, missingKey().FindStringSubmatch(why)[1], guard)
	case has("token recognition error at: '=") || has("Syntax error") && oneEquals().MatchString(bare):
		return &advised{Key: "equals", Try: outside(expression, func(part string) string { return oneEquals().ReplaceAllString(part, "$1==$2") })}
	case has("Syntax error") && wordOperand().MatchString(bare):
		return &advised{Key: "words", Try: outside(expression, func(part string) string {
			return wordOperand().ReplaceAllStringFunc(part, func(word string) string {
				return map[string]string{"and": "&&", "or": "||", "not": "!"}[strings.ToLower(word)]
			})
		})}
	case undeclared().MatchString(why):
		name := undeclared().FindStringSubmatch(why)[1]
		word := regexp.MustCompile(`(^|[^.\w])` + regexp.QuoteMeta(name) + `\b(\s*\()?`)
		if m := word.FindStringSubmatch(bare); m == nil || m[2] != "" {
			return &advised{Key: "function", Name: name}
		}
		return &advised{Key: "name", Name: name, Try: outside(expression, func(part string) string { return word.ReplaceAllString(part, "${1}value."+name) })}
	case has("overload") || has("type conversion error"):
		return &advised{Key: "kind"}
	case has("unsupported index type 'string' in list"):
		return &advised{Key: "list", Try: guard("type(value) == map")}
	case has("index out of bounds"):
		return &advised{Key: "index"}
	case has("cost limit"):
		return &advised{Key: "large"}
	case has(notBool):
		return &advised{Key: "compare"}
	}
	return nil
}

// missing is advice about a key that a message has not.
func missing(expression, name string, guard func(condition string) string) *advised {
	access := regexp.MustCompile(`\b((?:value|key|headers)(?:\.\w+|\["[^"]*"\])*?)(?:\.` + regexp.QuoteMeta(name) + `\b|\["` + regexp.QuoteMeta(name) + `"\])`)
	m := access.FindStringSubmatch(expression)
	switch {
	case m == nil:
		return &advised{Key: "missing", Name: name}
	case m[1] == "headers":
		return &advised{Key: "header", Name: name, Try: guard(`"` + name + `" in headers`)}
	case identifier().MatchString(name):
		return &advised{Key: "missing", Name: name, Try: guard("has(" + m[1] + "." + name + ")")}
	}
	return &advised{Key: "missing", Name: name, Try: guard(`"` + name + `" in ` + m[1])}
}

// outside changes what is not in quotes.
func outside(expression string, change func(part string) string) string {
	var s strings.Builder
	at := 0
	for _, q := range quoted().FindAllStringIndex(expression, -1) {
		s.WriteString(change(expression[at:q[0]]))
		s.WriteString(expression[q[0]:q[1]])
		at = q[1]
	}
	s.WriteString(change(expression[at:]))
	return s.String()
}
