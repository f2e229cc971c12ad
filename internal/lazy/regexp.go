// Package lazy makes what many starts of a program never need.
package lazy

import (
	"regexp"
	"sync"
)

// Regexp compiles an expression when it is first needed. One that can't be
// compiled panics then, as regexp.MustCompile does.
func Regexp(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
