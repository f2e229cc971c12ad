package auth

import "time"

// The mechanisms of SASL that an Exchange can be had for.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER"
)

// Mechanisms are all that there are. (Kafka's GSSAPI needs a Kerberos server.)
var Mechanisms = []string{Plain, ScramSHA256, ScramSHA512, OAuthBearer}

// Identity is what an exchange proved.
type Identity struct {
	Principal Principal
	// Expires is when the credential ends, in ms since 1970; 0: it does not.
	Expires int64
	// ByToken: the credential was a delegation token. It does not give more
	// tokens (KIP-48).
	ByToken bool
}

// Exchange is one conversation of a SASL mechanism, seen from the broker.
type Exchange interface {
	// Step takes what the client says and returns what to answer. The error
	// ends the conversation; of a *Refusal the client may know the text, of
	// others it may not: they would tell who exists.
	Step(message []byte) (answer []byte, err error)
	// Identity is who the client is, once that is proved; nil before.
	Identity() *Identity
	// Claims is who the client says it is, or the id of its token; empty before.
	Claims() string
}

// Refusal is a failed authentication with a text for the client
// (org.apache.kafka.common.errors.SaslAuthenticationException).
type Refusal struct{ Text string }

func (r *Refusal) Error() string { return r.Text }

// Credentials is what exchanges are checked against.
type Credentials interface {
	// Password is a user's password for PLAIN.
	Password(user string) (password string, ok bool)
	// Scram is a user's credential of a SCRAM mechanism.
	Scram(user, mechanism string) (*ScramCredential, bool)
	// Token is a delegation token of an id: whose it is, its credential, and
	// when it ends, in ms since 1970.
	Token(id, mechanism string) (owner Principal, credential *ScramCredential, expires int64, ok bool)
}

// NewExchange begins a conversation; nil for a mechanism that there is not.
// nonce gives something that nobody can guess, in printable ASCII without
// commas.
func NewExchange(mechanism string, c Credentials, now func() time.Time, nonce func() string) Exchange {
	switch mechanism {
	case Plain:
		return &plainExchange{credentials: c}
	case ScramSHA256, ScramSHA512:
		return newScramExchange(mechanism, c, nonce)
	case OAuthBearer:
		return &bearerExchange{now: now}
	}
	return nil
}
