package broker

import (
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
)

// This file owns the users' SCRAM credentials (KIP-554). As in Kafka, what is
// kept proves a password and does not tell it.

// scramMechanism is a mechanism as the APIs number it.
type scramMechanism int8

const (
	scramSHA256 scramMechanism = 1
	scramSHA512 scramMechanism = 2
)

func (m scramMechanism) known() bool { return m == scramSHA256 || m == scramSHA512 }

func (m scramMechanism) String() string {
	if m == scramSHA512 {
		return auth.ScramSHA512
	}
	return auth.ScramSHA256
}

func scramMechanismOf(name string) scramMechanism {
	if name == auth.ScramSHA512 {
		return scramSHA512
	}
	return scramSHA256
}

// scramKey names a credential.
type scramKey struct {
	user      string
	mechanism scramMechanism
}

// scramUsers are all credentials.
type scramUsers struct {
	mu  sync.Mutex // a leaf
	all map[scramKey]*auth.ScramCredential
}

// reset forgets all credentials but those of the users that the broker began
// with.
func (s *scramUsers) reset(passwords map[string]string, r *random) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = make(map[scramKey]*auth.ScramCredential, 2*len(passwords))
	for name, password := range passwords {
		for _, m := range []scramMechanism{scramSHA256, scramSHA512} {
			salt := r.bytes16()
			s.all[scramKey{name, m}] = auth.ScramCredentialOf(m.String(), password, salt[:])
		}
	}
}

// snapshot is all credentials.
func (s *scramUsers) snapshot() map[scramKey]*auth.ScramCredential {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.all)
}

// restore makes these all credentials.
func (s *scramUsers) restore(all map[scramKey]*auth.ScramCredential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = maps.Clone(all)
}

// mechanismsOf lists what a user has, by mechanism. It needs mu.
func (s *scramUsers) mechanismsOf(user string) (infos []kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo) {
	for _, m := range []scramMechanism{scramSHA256, scramSHA512} {
		if c, ok := s.all[scramKey{user, m}]; ok {
			info := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
			info.Mechanism, info.Iterations = int8(m), int32(c.Iterations)
			infos = append(infos, info)
		}
	}
	return infos
}

// handleDescribeUserSCRAMCredentials serves DescribeUserScramCredentials v0. No
// users asked for means all.
func (b *Broker) handleDescribeUserSCRAMCredentials(r *request, req *kmsg.DescribeUserSCRAMCredentialsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	resp.ErrorMessage = new("")
	s := &b.scram
	s.mu.Lock()
	defer s.mu.Unlock()
	times := make(map[string]int)
	for _, u := range req.Users {
		times[u.Name]++
	}
	if len(req.Users) == 0 {
		for key := range s.all {
			times[key.user] = 1
		}
	}
	for _, user := range slices.Sorted(maps.Keys(times)) {
		result := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
		result.User, result.ErrorMessage = user, new("")
		result.CredentialInfos = s.mechanismsOf(user)
		switch {
		case times[user] > 1:
			result.CredentialInfos = nil
			result.ErrorCode, result.ErrorMessage = codeAndText(fail(kerr.DuplicateResource, "Cannot describe SCRAM credentials for the same user twice in a single request: %s", user))
		case len(result.CredentialInfos) == 0:
			result.ErrorCode, result.ErrorMessage = codeAndText(fail(kerr.ResourceNotFound, "Attempt to describe a user credential that does not exist: %s", user))
		}
		resp.Results = append(resp.Results, result)
	}
	return resp, nil
}

// handleAlterUserSCRAMCredentials serves AlterUserScramCredentials v0. Each
// user may be changed once in a request.
func (b *Broker) handleAlterUserSCRAMCredentials(r *request, req *kmsg.AlterUserSCRAMCredentialsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	s := &b.scram
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(s.all)
	outcome := make(map[string]*apiError) // by user
	var order []string
	undo := func(user string) {
		for _, m := range []scramMechanism{scramSHA256, scramSHA512} {
			key := scramKey{user, m}
			delete(next, key)
			if c, had := s.all[key]; had {
				next[key] = c
			}
		}
	}
	// change makes one change, if it is the user's first.
	change := func(user string, do func() *apiError) {
		before, twice := outcome[user]
		if !twice {
			order = append(order, user)
			outcome[user] = do()
		} else if before == nil {
			outcome[user] = fail(kerr.DuplicateResource, "A user credential cannot be altered twice in the same request")
			undo(user)
		}
	}
	for i := range req.Deletions {
		d := &req.Deletions[i]
		change(d.Name, func() *apiError {
			key := scramKey{d.Name, scramMechanism(d.Mechanism)}
			if err := key.check(); err != nil {
				return err
			}
			if _, ok := s.all[key]; !ok {
				return fail(kerr.ResourceNotFound, "Attempt to delete a user credential that does not exist")
			}
			delete(next, key)
			return nil
		})
	}
	for i := range req.Upsertions {
		u := &req.Upsertions[i]
		change(u.Name, func() *apiError {
			key := scramKey{u.Name, scramMechanism(u.Mechanism)}
			switch err := key.check(); {
			case err != nil:
				return err
			case u.Iterations < auth.MinIterations:
				return fail(kerr.UnacceptableCredential, "Too few iterations")
			case u.Iterations > auth.MaxIterations:
				return fail(kerr.UnacceptableCredential, "Too many iterations")
			case len(u.SaltedPassword) == 0:
				return &apiError{code: kerr.UnknownServerError.Code} // Java has no empty keys
			}
			next[key] = auth.NewScramCredential(key.mechanism.String(), u.Salt, u.SaltedPassword, int(u.Iterations))
			return nil
		})
	}
	s.all = next
	b.controller.written()
	for _, user := range order {
		result := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		result.User = user
		result.ErrorCode, result.ErrorMessage = codeAndText(outcome[user])
		resp.Results = append(resp.Results, result)
	}
	return resp, nil
}

func (k scramKey) check() *apiError {
	switch {
	case k.user == "":
		return fail(kerr.UnacceptableCredential, "Username must not be empty")
	case !k.mechanism.known():
		return fail(kerr.UnsupportedSaslMechanism, "Unknown SCRAM mechanism")
	}
	return nil
}
