package auth

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/xdg-go/scram"
)

// The exchange of RFC 7677, section 3.
func TestAScramCredentialProvesThePassword(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	c := ScramCredentialOf(ScramSHA256, "pencil", salt).keys()
	if got := base64.StdEncoding.EncodeToString(c.StoredKey); got != "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" {
		t.Errorf("stored key %s", got)
	}
	if got := base64.StdEncoding.EncodeToString(c.ServerKey); got != "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" {
		t.Errorf("server key %s", got)
	}
}

// people are credentials for tests.
type people map[string]string

func (p people) Password(user string) (string, bool) { w, ok := p[user]; return w, ok }

func (p people) Scram(user, mechanism string) (*ScramCredential, bool) {
	w, ok := p[user]
	return ScramCredentialOf(mechanism, w, []byte("salt")), ok
}

func (p people) Token(id, mechanism string) (Principal, *ScramCredential, int64, bool) {
	if id != "token" {
		return Principal{}, nil, 0, false
	}
	return User("owner"), ScramCredentialOf(mechanism, "hmac", []byte("pepper")), 12345, true
}

func exchange(mechanism string, p people) Exchange {
	return NewExchange(mechanism, p, func() time.Time { return time.UnixMilli(1_000_000_000) }, func() string { return "server" })
}

func talk(e Exchange, client *scram.ClientConversation) error {
	said, err := client.Step("")
	for err == nil && !client.Done() {
		var answer []byte
		if answer, err = e.Step([]byte(said)); err == nil {
			said, err = client.Step(string(answer))
		}
	}
	return err
}

func TestScramLetsInWhoKnowsThePassword(t *testing.T) {
	for mechanism, generator := range map[string]scram.HashGeneratorFcn{ScramSHA256: scram.SHA256, ScramSHA512: scram.SHA512} {
		for _, c := range []struct {
			user, password, as string
			in                 bool
		}{
			{"alice", "secret", "", true},
			{"alice", "secret", "alice", true},
			{"a,b=c", "x", "", true},
			{"alice", "secret", "bob", false},
			{"alice", "Secret", "", false},
			{"nobody", "secret", "", false},
		} {
			client, err := generator.NewClient(c.user, c.password, c.as)
			if err != nil {
				t.Fatal(err)
			}
			e := exchange(mechanism, people{"alice": "secret", "a,b=c": "x"})
			err = talk(e, client.NewConversation())
			if in := err == nil && e.Identity() != nil && e.Identity().Principal == User(c.user); in != c.in || !c.in && e.Identity() != nil {
				t.Errorf("%s %+v: %v, %v", mechanism, c, err, e.Identity())
			}
		}
	}
}

func TestScramTakesADelegationTokenForAPassword(t *testing.T) {
	client, _ := scram.SHA256.NewClient("token", "hmac", "")
	conversation := client.NewConversation()
	first, _ := conversation.Step("")
	e := exchange(ScramSHA256, people{})
	if _, err := e.Step([]byte(first)); err == nil {
		t.Error("a token's id is taken for a user without tokenauth")
	}
	e = exchange(ScramSHA256, people{})
	if answer, err := e.Step([]byte(first + ",tokenauth=true")); err != nil || string(answer)[:2] != "r=" {
		t.Fatalf("%s, %v", answer, err)
	}
	if e.Identity() != nil {
		t.Error("the token is believed before it is proved")
	}
}
