package broker

import (
	"errors"
	"fmt"

	"minibroker/broker/auth"
)

// This file owns the users that a broker is given at its start. Their SCRAM
// credentials can be changed while it runs (scram.go); their passwords for PLAIN
// cannot, as in Apache Kafka, where they are in a file.

// user is a user as an option names it.
type user struct {
	name, password string
	super          bool
}

// WithUser adds a user who authenticates with a password, by SASL's PLAIN,
// SCRAM-SHA-256 or SCRAM-SHA-512. The broker's port then demands SASL:
// security.protocol is SASL_PLAINTEXT, or SASL_SSL with [WithTLS], unless
// [WithSecurityProtocol] or [WithExtraPort] says otherwise.
//
// Every user may do everything until there is somebody who may decide that:
// with [WithSuperUser] or [WithACL].
func WithUser(name, password string) Option {
	return func(o *options) { o.users = append(o.users, user{name: name, password: password}) }
}

// WithSuperUser adds a user, as [WithUser] does, who may do everything. All
// others may only do what an ACL allows: one of [WithACL], or one that the super
// user creates.
func WithSuperUser(name, password string) Option {
	return func(o *options) { o.users = append(o.users, user{name, password, true}) }
}

// addUsers checks the users and makes their credentials.
func (b *Broker) addUsers(users []user) error {
	b.passwords = make(map[string]string, len(users))
	for _, u := range users {
		switch {
		case u.name == "" || u.password == "":
			return errors.New("a user needs a name and a password")
		case b.passwords[u.name] != "":
			return fmt.Errorf("user %q is given twice", u.name)
		}
		b.passwords[u.name] = u.password
	}
	b.scram.reset(b.passwords, b.random)
	return nil
}

// credentials are what SASL is checked against (auth.Credentials).
type credentials struct{ b *Broker }

func (c credentials) Password(user string) (string, bool) {
	password, ok := c.b.passwords[user]
	return password, ok
}

func (c credentials) Scram(user, mechanism string) (*auth.ScramCredential, bool) {
	s := &c.b.scram
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.all[scramKey{user, scramMechanismOf(mechanism)}]
	return found, ok
}

func (c credentials) Token(id, mechanism string) (auth.Principal, *auth.ScramCredential, int64, bool) {
	d := &c.b.tokens
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all.Credential(id, mechanism, c.b.nowMillis())
}
