// Package auth says who a client is and what it may do: the exchanges of SASL,
// access control lists, and delegation tokens. All of it is pure: no goroutine,
// lock, clock or network; what a moment is, the caller says.
package auth

import "strings"

// Principal is who sends requests
// (org.apache.kafka.common.security.auth.KafkaPrincipal).
type Principal struct{ Type, Name string }

const userType = "User"

// User is the principal of a user's name.
func User(name string) Principal { return Principal{Type: userType, Name: name} }

// Anonymous sends requests by a connection that asks nobody who they are.
var Anonymous = User("ANONYMOUS")

// Anybody is the principal of ACLs that are about everybody.
var Anybody = User("*")

func (p Principal) String() string { return p.Type + ":" + p.Name }

// ParsePrincipal reads TYPE:NAME, as ACLs and super.users have it; false if
// there is no colon or no type
// (org.apache.kafka.common.utils.SecurityUtils.parseKafkaPrincipal).
func ParsePrincipal(text string) (Principal, bool) {
	kind, name, ok := strings.Cut(text, ":")
	return Principal{Type: kind, Name: name}, ok && kind != "" && name != ""
}
