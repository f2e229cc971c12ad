package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func upsert(user string, mechanism int8, iterations int32) kmsg.AlterUserSCRAMCredentialsRequestUpsertion {
	u := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
	u.Name, u.Mechanism, u.Iterations, u.Salt, u.SaltedPassword = user, mechanism, iterations, []byte("salt"), []byte("salted password")
	return u
}

func TestAlterUserScramCredentials(t *testing.T) {
	c := dial(t, Start(t))
	alter := func(deletions []kmsg.AlterUserSCRAMCredentialsRequestDeletion, upsertions ...kmsg.AlterUserSCRAMCredentialsRequestUpsertion) map[string]string {
		req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
		req.Deletions, req.Upsertions = deletions, upsertions
		said := make(map[string]string)
		for _, r := range ask[*kmsg.AlterUserSCRAMCredentialsResponse](c, req).Results {
			if _, twice := said[r.User]; twice {
				t.Errorf("user %q is answered twice", r.User)
			}
			said[r.User] = strings.TrimSpace(fmt.Sprintf("[%d] %s", r.ErrorCode, text(r.ErrorMessage)))
		}
		return said
	}
	drop := func(user string, mechanism int8) kmsg.AlterUserSCRAMCredentialsRequestDeletion {
		return kmsg.AlterUserSCRAMCredentialsRequestDeletion{Name: user, Mechanism: mechanism}
	}
	describe := func(users ...string) string {
		req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
		for _, u := range users {
			req.Users = append(req.Users, kmsg.DescribeUserSCRAMCredentialsRequestUser{Name: u})
		}
		var said []string
		for _, r := range ask[*kmsg.DescribeUserSCRAMCredentialsResponse](c, req).Results {
			s := fmt.Sprintf("%s [%d]", r.User, r.ErrorCode)
			for _, i := range r.CredentialInfos {
				s += fmt.Sprintf(" %d:%d", i.Mechanism, i.Iterations)
			}
			said = append(said, strings.TrimSpace(s+" "+text(r.ErrorMessage)))
		}
		return strings.Join(said, "; ")
	}

	noPassword := upsert("nopassword", 1, 8192)
	noPassword.SaltedPassword = nil
	noSalt := upsert("nosalt", 2, 16384)
	noSalt.Salt = nil
	got := alter(
		[]kmsg.AlterUserSCRAMCredentialsRequestDeletion{drop("both", 1), drop("unknown", 1), drop("mechanism9", 9)},
		upsert("few", 1, 100), upsert("many", 1, 16385), upsert("mechanism0", 0, 8192), upsert("", 1, 8192),
		noPassword, noSalt, upsert("ok", 1, 4096), upsert("twice", 1, 8192), upsert("twice", 2, 8192), upsert("both", 1, 8192),
	)
	for user, want := range map[string]string{
		"few":        "[93] Too few iterations", // behaviour 252
		"many":       "[93] Too many iterations",
		"mechanism0": "[33] Unknown SCRAM mechanism",
		"mechanism9": "[33] Unknown SCRAM mechanism",
		"unknown":    "[91] Attempt to delete a user credential that does not exist",
		"both":       "[91] Attempt to delete a user credential that does not exist",
		"":           "[93] Username must not be empty",
		"twice":      "[92] A user credential cannot be altered twice in the same request",
		"nopassword": "[-1]",
		"nosalt":     "[0]",
		"ok":         "[0]",
	} {
		if got[user] != want {
			t.Errorf("user %q: %q, want %q", user, got[user], want)
		}
	}
	alter(nil, upsert("ok", 2, 5000))
	if got, want := describe(), "nosalt [0] 2:16384; ok [0] 1:4096 2:5000"; got != want {
		t.Errorf("all users: %q, want %q", got, want)
	}
	// behaviour 235
	if got, want := describe("ok", "nobody"), "nobody [91] Attempt to describe a user credential that does not exist: nobody; ok [0] 1:4096 2:5000"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := describe("ok", "ok"), "ok [92] Cannot describe SCRAM credentials for the same user twice in a single request: ok"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := alter([]kmsg.AlterUserSCRAMCredentialsRequestDeletion{drop("ok", 1)}); got["ok"] != "[0]" {
		t.Errorf("delete: %v", got)
	}
	if got, want := describe("ok"), "ok [0] 2:5000"; got != want {
		t.Errorf("after the deletion: %q, want %q", got, want)
	}
}
