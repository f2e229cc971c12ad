package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"strings"
	"sync"

	"github.com/xdg-go/scram"
)

// Bounds of a SCRAM credential's iterations
// (org.apache.kafka.common.security.scram.internals.ScramMechanism).
const (
	MinIterations = 4096
	MaxIterations = 16384
)

func hashOf(mechanism string) func() hash.Hash {
	if mechanism == ScramSHA512 {
		return sha512.New
	}
	return sha256.New
}

// ScramCredential proves a password and does not tell it (RFC 5802).
type ScramCredential struct {
	Iterations int

	once   sync.Once
	derive func() // fills stored in
	stored scram.StoredCredentials
}

// NewScramCredential makes a credential of a salted password, as
// AlterUserScramCredentials has it.
func NewScramCredential(mechanism string, salt, saltedPassword []byte, iterations int) *ScramCredential {
	c := &ScramCredential{Iterations: iterations}
	c.set(mechanism, salt, saltedPassword)
	return c
}

// ScramCredentialOf makes a credential of a password. The thousands of rounds
// that this takes are spent when the credential is first used: a user who never
// comes costs nothing.
func ScramCredentialOf(mechanism, password string, salt []byte) *ScramCredential {
	c := &ScramCredential{Iterations: MinIterations}
	c.derive = func() {
		h := hashOf(mechanism)
		// It fails for no password that was checked to be there.
		salted, _ := pbkdf2.Key(h, password, salt, c.Iterations, h().Size())
		c.set(mechanism, salt, salted)
	}
	return c
}

func (c *ScramCredential) set(mechanism string, salt, salted []byte) {
	h := hashOf(mechanism)
	mac := func(text string) []byte {
		m := hmac.New(h, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	key := h()
	key.Write(mac("Client Key"))
	c.stored = scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: string(salt), Iters: c.Iterations},
		StoredKey:  key.Sum(nil),
		ServerKey:  mac("Server Key"),
	}
}

func (c *ScramCredential) keys() scram.StoredCredentials {
	c.once.Do(func() {
		if c.derive != nil {
			c.derive()
		}
	})
	return c.stored
}

// scramExchange is SASL/SCRAM (RFC 5802, 7677). What Kafka adds is the extension
// tokenauth=true of the client's first message: its user name is the id of a
// delegation token, and the token's HMAC the password.
type scramExchange struct {
	mechanism   string
	credentials Credentials
	talk        *scram.ServerConversation
	byToken     bool
	claimed     Identity // true once talk says so
	claims      string
}

// ErrNonce is what clients do wrong that repeat their own nonce in their second
// message: librdkafka before 2.6.1. Kafka refuses them since CVE-2024-56128.
var ErrNonce = errors.New("the second message has not the nonce that the client was sent")

// ErrPassword is a proof of another password.
var ErrPassword = errors.New("the proof is of another password")

var (
	errNoCredential = errors.New("there is no such SCRAM credential")
	errGS2          = errors.New("only the GS2 flag n is supported")
)

func newScramExchange(mechanism string, c Credentials, nonce func() string) *scramExchange {
	e := &scramExchange{mechanism: mechanism, credentials: c}
	generator := scram.SHA256
	if mechanism == ScramSHA512 {
		generator = scram.SHA512
	}
	server, _ := generator.NewServer(e.lookUp) // it never fails
	e.talk = server.WithNonceGenerator(nonce).NewConversation()
	return e
}

func (e *scramExchange) Identity() *Identity {
	if !e.talk.Valid() {
		return nil
	}
	return &e.claimed
}

func (e *scramExchange) Claims() string { return e.claims }

func (e *scramExchange) Step(message []byte) ([]byte, error) {
	text := string(message)
	first := e.claimed == Identity{}
	if first {
		if !strings.HasPrefix(text, "n,") {
			return nil, errGS2
		}
		fields := strings.Split(text, ",")
		for _, f := range fields[min(4, len(fields)):] {
			if name, value, _ := strings.Cut(f, "="); name == "tokenauth" {
				e.byToken = strings.EqualFold(value, "true")
			}
		}
	}
	answer, err := e.talk.Step(text)
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "nonce received did not match"):
		return nil, ErrNonce
	case strings.Contains(err.Error(), "challenge proof invalid"):
		return nil, ErrPassword
	default:
		return nil, err
	}
	if as := e.talk.AuthzID(); first && as != "" && as != e.talk.Username() {
		return nil, errOtherID
	}
	return []byte(answer), nil
}

func (e *scramExchange) lookUp(user string) (scram.StoredCredentials, error) {
	var c *ScramCredential
	var ok bool
	e.claims = user
	if e.byToken {
		e.claimed.ByToken = true
		e.claimed.Principal, c, e.claimed.Expires, ok = e.credentials.Token(user, e.mechanism)
	} else {
		e.claimed.Principal = User(user)
		c, ok = e.credentials.Scram(user, e.mechanism)
	}
	if !ok {
		return scram.StoredCredentials{}, errNoCredential
	}
	return c.keys(), nil
}
