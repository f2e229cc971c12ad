package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
)

// plainExchange is SASL/PLAIN (RFC 4616): one message with name and password.
// The texts are org.apache.kafka.common.security.plain.internals.PlainSaslServer's.
type plainExchange struct {
	credentials Credentials
	identity    *Identity
	claims      string
}

func (e *plainExchange) Identity() *Identity { return e.identity }
func (e *plainExchange) Claims() string      { return e.claims }

func (e *plainExchange) Step(message []byte) ([]byte, error) {
	tokens := strings.SplitN(string(message), "\x00", 5)
	if len(tokens) != 3 {
		return nil, &Refusal{fmt.Sprintf("Invalid SASL/PLAIN response: expected 3 tokens, got %d", min(len(tokens), 4))}
	}
	as, user, password := tokens[0], tokens[1], tokens[2]
	e.claims = user
	switch {
	case user == "":
		return nil, &Refusal{"Authentication failed: username not specified"}
	case password == "":
		return nil, &Refusal{"Authentication failed: password not specified"}
	}
	want, ok := e.credentials.Password(user)
	if !ok || subtle.ConstantTimeCompare([]byte(want), []byte(password)) != 1 {
		return nil, errPlainPassword
	}
	if as != "" && as != user {
		return nil, errOtherID
	}
	e.identity = &Identity{Principal: User(user)}
	return []byte{}, nil
}

var errPlainPassword = &Refusal{"Authentication failed: Invalid username or password"}

// WrongPassword says whether that is why an exchange failed, or that there is no
// such user: PLAIN does not tell which.
func WrongPassword(err error) bool {
	return errors.Is(err, ErrPassword) || errors.Is(err, errPlainPassword)
}

var errOtherID = &Refusal{"Authentication failed: Client requested an authorization id that is different from username"}
