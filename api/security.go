package api

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/broker/auth"
)

// This file owns users, ACLs, and what was denied.

// UserList is the users with a password.
type UserList struct {
	Users []User `json:"users" doc:"By name."`
}

// User is a user with passwords for SCRAM.
type User struct {
	Name       string   `json:"name"`
	Mechanisms []string `json:"mechanisms" doc:"That the user can log in by: SCRAM-SHA-256, SCRAM-SHA-512. Users of --user can by PLAIN, too."`
	Super      bool     `json:"super" doc:"Whether the user may do everything."`
}

// Password is a user's new password.
type Password struct {
	Password string `json:"password"`
}

// ACLList is ACLs.
type ACLList struct {
	ACLs []ACL `json:"acls"`
}

// ACL is one access control list entry.
type ACL struct {
	Text       string `json:"text" doc:"All of it in one line, as POST takes it."`
	Principal  string `json:"principal" doc:"Such as User:anna; User:* is everybody."`
	Host       string `json:"host" doc:"An IP address; * is every one."`
	Permission string `json:"permission" doc:"ALLOW or DENY."`
	Operation  string `json:"operation"`
	Resource   string `json:"resource" doc:"Its type, such as TOPIC."`
	Name       string `json:"name"`
	Pattern    string `json:"pattern" doc:"LITERAL, or PREFIXED: all names that begin so."`
}

// NewACLs are ACLs to make.
type NewACLs struct {
	ACLs []string `json:"acls" doc:"[deny] USER OPERATION[,OPERATION...] TYPE:NAME [from HOST], such as \"anna read,write topic:orders\"; * at the end of a name is a prefix."`
}

// Decision is whether somebody may do something, and why.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Rule    string `json:"rule" doc:"What decided: super_user, deny, allow, default (allow.everyone.if.no.acl.found), or none: nothing allows it."`
	ACL     *ACL   `json:"acl,omitempty" doc:"That decided, of deny and allow."`
	Seen    []ACL  `json:"seen" doc:"All ACLs about the resource, for whomever."`
	Remedy  string `json:"remedy" doc:"The ACL that would allow it; empty where it is allowed, or an ACL denies it."`
}

// DenialList is what was refused.
type DenialList struct {
	Denials []Denial `json:"denials" doc:"What happened last comes last; 100 at most."`
}

// Denial is a request that ACLs refused, or a login that was refused.
type Denial struct {
	Number    uint64    `json:"number" doc:"Counts up from 1."`
	Text      string    `json:"text" doc:"All of it in one line, with what would change it."`
	Kind      string    `json:"kind" doc:"request or login."`
	First     string    `json:"first" doc:"RFC 3339, by the broker's clock."`
	Last      string    `json:"last"`
	Times     int       `json:"times"`
	Principal string    `json:"principal" doc:"Who asked for it, or the user that a login was for."`
	Host      string    `json:"host"`
	ClientID  string    `json:"client_id"`
	API       string    `json:"api"`
	Operation string    `json:"operation" doc:"Of a request; else empty."`
	Resource  string    `json:"resource" doc:"TYPE:NAME of a request; else empty."`
	Decision  *Decision `json:"decision,omitempty" doc:"Of a request."`
	Mechanism string    `json:"mechanism" doc:"Of a login; else empty."`
	Cause     string    `json:"cause" doc:"Of a login: no_mechanism, no_users, no_such_user, other_mechanism, wrong_password, old_client or other; else empty."`
}

func listUsers(a *API, r *http.Request) (any, error) {
	list := UserList{Users: []User{}}
	resp, err := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest().RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	for _, u := range resp.Results {
		user := User{Name: u.User, Mechanisms: []string{}}
		for _, c := range u.CredentialInfos {
			user.Mechanisms = append(user.Mechanisms, scramNames[c.Mechanism])
		}
		if rules := a.b.Rules(); rules != nil {
			user.Super = rules.Super[auth.User(u.User)]
		}
		list.Users = append(list.Users, user)
	}
	return list, nil
}

// scramNames are the mechanisms by their numbers in the protocol.
var scramNames = map[int8]string{1: auth.ScramSHA256, 2: auth.ScramSHA512}

func setPassword(a *API, r *http.Request) (any, error) {
	asked, err := read[Password](r)
	if err != nil {
		return nil, err
	}
	if asked.Password == "" {
		return nil, say(http.StatusUnprocessableEntity, "There is no password.", `Send {"password": "..."}.`)
	}
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	for mechanism, h := range map[int8]func() hash.Hash{1: sha256.New, 2: sha512.New} {
		u := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
		u.Name, u.Mechanism, u.Iterations, u.Salt = r.PathValue("user"), mechanism, auth.MinIterations, make([]byte, 16)
		rand.Read(u.Salt) // it never fails
		if u.SaltedPassword, err = pbkdf2.Key(h, asked.Password, u.Salt, auth.MinIterations, h().Size()); err != nil {
			return nil, err
		}
		// A request changes a user once.
		req.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{u}
		if err := a.alterUser(r.Context(), req); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func deleteUser(a *API, r *http.Request) (any, error) {
	name := r.PathValue("user")
	all, err := listUsers(a, r)
	if err != nil {
		return nil, err
	}
	users := all.(UserList).Users
	i := slices.IndexFunc(users, func(u User) bool { return u.Name == name })
	if i < 0 {
		return nil, say(http.StatusNotFound, fmt.Sprintf("There is no user %q.", name), "GET "+Prefix+"/users lists them.")
	}
	for mechanism, known := range scramNames {
		if !slices.Contains(users[i].Mechanisms, known) {
			continue
		}
		req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
		req.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: name, Mechanism: mechanism}}
		if err := a.alterUser(r.Context(), req); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (a *API) alterUser(ctx context.Context, req *kmsg.AlterUserSCRAMCredentialsRequest) error {
	resp, err := req.RequestWith(ctx, a.b)
	if err != nil {
		return err
	}
	return kafka(resp.Results[0].ErrorCode, resp.Results[0].ErrorMessage)
}

func aclOf(a *auth.ACL) ACL {
	return ACL{a.String(), a.Principal, a.Host, a.Permission.String(), a.Operation.String(), a.Resource.Type.String(), a.Resource.Name, a.Resource.Pattern.String()}
}

func aclsOf(all []auth.ACL) []ACL {
	list := make([]ACL, len(all))
	for i := range all {
		list[i] = aclOf(&all[i])
	}
	return list
}

// rules are those of the broker, if it has an authorizer.
func (a *API) rules() (*auth.Rules, error) {
	if rules := a.b.Rules(); rules != nil {
		return rules, nil
	}
	return nil, kafka(54, nil)
}

// meant are the ACLs that the query names: each by its text, or all of a
// principal; all if it names none.
func meant(r *http.Request) ([]auth.Filter, error) {
	q := r.URL.Query()
	var filters []auth.Filter
	for _, text := range q["acl"] {
		acls, err := parseACLs(text)
		if err != nil {
			return nil, err
		}
		for _, a := range acls {
			filters = append(filters, auth.Filter{Type: a.Resource.Type, Pattern: a.Resource.Pattern, Name: &a.Resource.Name, Principal: &a.Principal, Host: &a.Host, Operation: a.Operation, Permission: a.Permission})
		}
	}
	if principal := q.Get("principal"); principal != "" {
		f := auth.Every()
		p := principalOf(principal).String()
		f.Principal = &p
		filters = append(filters, f)
	}
	return filters, nil
}

func parseACLs(text string) ([]auth.ACL, error) {
	acls, err := auth.ParseACL(text)
	if err != nil {
		return nil, say(http.StatusUnprocessableEntity, err.Error()+".", "Write it such as: anna read,write topic:orders.")
	}
	return acls, nil
}

// principalOf reads User:anna, or anna.
func principalOf(text string) auth.Principal {
	if p, ok := auth.ParsePrincipal(text); ok {
		return p
	}
	return auth.User(text)
}

func listACLs(a *API, r *http.Request) (any, error) {
	rules, err := a.rules()
	if err != nil {
		return nil, err
	}
	filters, err := meant(r)
	if err != nil {
		return nil, err
	}
	list := ACLList{ACLs: []ACL{}}
	for _, acl := range rules.Find(new(auth.Every())) {
		if len(filters) == 0 || slices.ContainsFunc(filters, func(f auth.Filter) bool { return f.Matches(&acl) }) {
			list.ACLs = append(list.ACLs, aclOf(&acl))
		}
	}
	return list, nil
}

func createACLs(a *API, r *http.Request) (any, error) {
	asked, err := read[NewACLs](r)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrCreateACLsRequest()
	var all []auth.ACL
	for _, text := range asked.ACLs {
		acls, err := parseACLs(text)
		if err != nil {
			return nil, err
		}
		all = append(all, acls...)
	}
	for _, acl := range all {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourceName, c.ResourcePatternType = acl.Resource.Type, acl.Resource.Name, acl.Resource.Pattern
		c.Principal, c.Host, c.Operation, c.PermissionType = acl.Principal, acl.Host, acl.Operation, acl.Permission
		req.Creations = append(req.Creations, c)
	}
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	for _, result := range resp.Results {
		if err := kafka(result.ErrorCode, result.ErrorMessage); err != nil {
			return nil, err
		}
	}
	return ACLList{ACLs: aclsOf(all)}, nil
}

func deleteACLs(a *API, r *http.Request) (any, error) {
	filters, err := meant(r)
	if err != nil {
		return nil, err
	}
	if len(filters) == 0 {
		return nil, say(http.StatusUnprocessableEntity, "It is not said which ACLs shall go.", "Name them by ?acl= or ?principal=.")
	}
	req := kmsg.NewPtrDeleteACLsRequest()
	for _, f := range filters {
		d := kmsg.NewDeleteACLsRequestFilter()
		d.ResourceType, d.ResourceName, d.ResourcePatternType = f.Type, f.Name, f.Pattern
		d.Principal, d.Host, d.Operation, d.PermissionType = f.Principal, f.Host, f.Operation, f.Permission
		req.Filters = append(req.Filters, d)
	}
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	list := ACLList{ACLs: []ACL{}}
	for _, result := range resp.Results {
		if err := kafka(result.ErrorCode, result.ErrorMessage); err != nil {
			return nil, err
		}
		for _, m := range result.MatchingACLs {
			list.ACLs = append(list.ACLs, aclOf(&auth.ACL{Resource: auth.Resource{Type: m.ResourceType, Pattern: m.ResourcePatternType, Name: m.ResourceName},
				Principal: m.Principal, Host: m.Host, Operation: m.Operation, Permission: m.PermissionType}))
		}
	}
	return list, nil
}

func decide(a *API, r *http.Request) (any, error) {
	rules, err := a.rules()
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	acls, err := parseACLs("x " + q.Get("operation") + " " + q.Get("resource")) // whose, does not matter
	if err != nil {
		return nil, err
	}
	if len(acls) != 1 {
		return nil, say(http.StatusUnprocessableEntity, "That is several operations.", "Ask for each on its own.")
	}
	c := auth.Client{Principal: principalOf(q.Get("principal"))}
	if host := q.Get("host"); host != "" {
		if c.Host, err = netip.ParseAddr(host); err != nil {
			return nil, say(http.StatusUnprocessableEntity, fmt.Sprintf("%q is no IP address.", host), "Leave host out, or write an address such as 10.0.0.3.")
		}
	}
	return decisionOf(rules.Decide(c, acls[0].Operation, acls[0].Resource), c.Principal, acls[0].Operation, acls[0].Resource), nil
}

func decisionOf(d auth.Decision, p auth.Principal, op kmsg.ACLOperation, res auth.Resource) *Decision {
	out := &Decision{Allowed: d.Allowed, Rule: string(d.Rule), Seen: aclsOf(d.Seen)}
	if d.ACL != nil {
		acl := aclOf(d.ACL)
		out.ACL = &acl
	}
	if remedy, ok := d.Remedy(p, op, res); ok {
		out.Remedy = remedy.String()
	}
	return out
}

func listDenials(a *API, _ *http.Request) (any, error) {
	list := DenialList{Denials: []Denial{}}
	for _, d := range a.b.Denials() {
		list.Denials = append(list.Denials, denialOf(d))
	}
	return list, nil
}

func denialOf(d broker.Denial) Denial {
	out := Denial{
		Number: d.Number, Text: d.String(), Kind: "request", First: d.First.UTC().Format(time.RFC3339Nano), Last: d.Last.UTC().Format(time.RFC3339Nano), Times: d.Times,
		Principal: d.Principal.String(), Host: d.Host, ClientID: d.ClientID, API: d.API,
	}
	if d.Login() {
		out.Kind, out.Mechanism, out.Cause = "login", d.Mechanism, string(d.Cause)
		return out
	}
	out.Operation, out.Resource = d.Operation.String(), d.Resource.Type.String()+":"+d.Resource.Name
	out.Decision = decisionOf(d.Decision, d.Principal, d.Operation, d.Resource)
	return out
}
