package broker

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
	"minibroker/protocol"
)

// This file owns what is remembered of those who were refused: requests that
// ACLs refused, and logins.

// mostDenials is how many different denials are remembered.
const mostDenials = 100

// Denial is something that clients were refused, as often as it happened.
type Denial struct {
	Number      uint64 // counts up from 1
	First, Last time.Time
	Times       int

	Host     string // the client's address
	ClientID string
	// Principal is who asked for it; of a login that was refused, the user that
	// the client said it was, perhaps empty.
	Principal auth.Principal
	API       string // that was sent; SaslHandshake or SaslAuthenticate for a login

	// Of a request.
	Operation kmsg.ACLOperation
	Resource  auth.Resource
	Decision  auth.Decision

	// Of a login: how, the mechanism's own words of why it was refused, the cause,
	// and mechanisms that would do; else empty.
	Mechanism string
	Reason    string
	Cause     LoginCause
	Use       string
}

// Login says whether it is a login that was refused.
func (d *Denial) Login() bool { return d.Reason != "" }

// String is the denial in one line, with what would change it.
func (d Denial) String() string {
	if d.Login() {
		line := fmt.Sprintf("%q from %s may not log in by %s: %s", d.Principal.Name, d.Host, d.Mechanism, strings.TrimSuffix(d.Reason, "."))
		switch remedy := loginRemedies[d.Cause]; {
		case remedy == "":
			return line
		case d.Use != "":
			return line + ": " + fmt.Sprintf(remedy, d.Use)
		default:
			return line + ": " + remedy
		}
	}
	line := fmt.Sprintf("%s from %s may not %s %s %s (%s): ", d.Principal, d.Host, d.Operation, d.Resource.Type, d.Resource.Name, d.API)
	if d.Decision.Rule == auth.ByDeny {
		return line + "the ACL " + d.Decision.ACL.String() + " denies it; remove that one"
	}
	remedy, _ := d.Decision.Remedy(d.Principal, d.Operation, d.Resource)
	return line + "no ACL allows it; add " + remedy.String()
}

// same says whether two denials are one that happened twice.
func (d *Denial) same(o *Denial) bool {
	return d.Host == o.Host && d.ClientID == o.ClientID && d.Principal == o.Principal && d.API == o.API && d.Operation == o.Operation && d.Resource == o.Resource &&
		d.Decision.Rule == o.Decision.Rule && d.Mechanism == o.Mechanism && d.Reason == o.Reason
}

// denials are the newest ones.
type denials struct {
	mu    sync.Mutex // a leaf
	all   []Denial   // that happened last comes last
	total uint64
}

func (d *denials) add(n Denial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n.First, n.Times = n.Last, 1
	if i := slices.IndexFunc(d.all, func(o Denial) bool { return n.same(&o) }); i >= 0 {
		old := d.all[i]
		n.Number, n.First, n.Times = old.Number, old.First, old.Times+1
		d.all = slices.Delete(d.all, i, i+1)
	} else {
		d.total++
		n.Number = d.total
		if len(d.all) == mostDenials {
			d.all = slices.Delete(d.all, 0, 1)
		}
	}
	d.all = append(d.all, n)
}

func (d *denials) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all, d.total = nil, 0
}

// Denials are the requests that ACLs refused, and the logins that were refused,
// the newest last: at most 100 different ones, since the start or the last
// [Broker.Reset]. What is hidden from a client and not refused, such as topics
// that it may not see in a list of all, is not among them.
func (b *Broker) Denials() []Denial {
	b.denials.mu.Lock()
	defer b.denials.mu.Unlock()
	return slices.Clone(b.denials.all)
}

// permission is what somebody may or may not do.
type permission struct {
	op   kmsg.ACLOperation
	kind kmsg.ACLResourceType
	name string
}

// mostLacking is how many permissions are kept of one request.
const mostLacking = 64

// lacks notes what a client may not do. Whether it is told so, the answer says.
func (r *request) lacks(op kmsg.ACLOperation, t kmsg.ACLResourceType, name string) {
	p := permission{op, t, name}
	if len(r.lacking) < mostLacking && !slices.Contains(r.lacking, p) {
		r.lacking = append(r.lacking, p)
	}
}

// denying are the errors that tell a client that it may not do something, and
// with what. Topics asked for by their ids do not exist for who may not see them.
var denying = map[int16][]kmsg.ACLResourceType{
	kerr.TopicAuthorizationFailed.Code:           {kmsg.ACLResourceTypeTopic},
	kerr.UnknownTopicID.Code:                     {kmsg.ACLResourceTypeTopic},
	kerr.GroupAuthorizationFailed.Code:           {kmsg.ACLResourceTypeGroup},
	kerr.ClusterAuthorizationFailed.Code:         {kmsg.ACLResourceTypeCluster},
	kerr.TransactionalIDAuthorizationFailed.Code: {kmsg.ACLResourceTypeTransactionalId},
	kerr.DelegationTokenAuthorizationFailed.Code: {kmsg.ACLResourceTypeUser, kmsg.ACLResourceTypeDelegationToken},
}

// noteDenials remembers what a request was refused. Questions are asked for other
// reasons, too, such as which topics a list may have: only those count whose
// error is in the answer.
func (r *request) noteDenials(resp kmsg.Response) {
	if len(r.lacking) == 0 || resp == nil {
		return
	}
	rules := r.broker.rules.Load()
	if rules == nil {
		return
	}
	var told []kmsg.ACLResourceType
	for _, code := range errorCodes(reflect.ValueOf(asModel(resp)).Elem(), nil) {
		told = append(told, denying[code]...)
	}
	for _, n := range r.lacking {
		if !slices.Contains(told, n.kind) {
			continue
		}
		d := Denial{
			Last: r.broker.clock.Now(), Host: r.who().Host.String(), ClientID: r.clientID, Principal: r.principal, API: protocol.APIFor(r.key).Name,
			Operation: n.op, Resource: auth.Resource{Type: n.kind, Pattern: kmsg.ACLResourcePatternTypeLiteral, Name: n.name},
		}
		if d.Decision = rules.Decide(r.who(), n.op, d.Resource); !d.Decision.Allowed { // the rules may have changed
			r.broker.denials.add(d)
		}
	}
}

// LoginCause is why a login was refused, in a word.
type LoginCause string

// All causes; any other is the mechanism's own.
const (
	NoMechanism    LoginCause = "no_mechanism"    // the broker does not offer it
	NoUsers        LoginCause = "no_users"        // there are none at all
	NoSuchUser     LoginCause = "no_such_user"    // there are others
	OtherMechanism LoginCause = "other_mechanism" // the user has no password for this one, and has for another
	WrongPassword  LoginCause = "wrong_password"  // the user is there
	OldClient      LoginCause = "old_client"      // its SCRAM has a fault, see auth.ErrNonce
	OtherCause     LoginCause = "other"           // Reason says it
)

// LoginCauses are all causes.
var LoginCauses = []LoginCause{NoMechanism, NoUsers, NoSuchUser, OtherMechanism, WrongPassword, OldClient, OtherCause}

// loginRemedies are what to do about each cause; %s: what mechanisms there are.
var loginRemedies = map[LoginCause]string{
	NoMechanism:    "use %s, or set sasl.enabled.mechanisms of the broker",
	NoUsers:        "the broker has no users: start it with --user name:password",
	NoSuchUser:     "there is no such user: start the broker with --user name:password, or add the user in the web UI",
	OtherMechanism: "this user has a password for %[1]s only: set sasl.mechanism=%[1]s in the client, or name the user by --user",
	WrongPassword:  "the user exists, so the password is another",
	OldClient:      "librdkafka does this before 2.6.1, and Apache Kafka 4 refuses it, too: use a newer one, or sasl.mechanism=PLAIN",
}

// refuseLogin remembers a login that failed and why, and returns both for the
// log.
func (c *conn) refuseLogin(api, mechanism, user string, why error) error {
	d := Denial{
		Last: c.broker.clock.Now(), Host: c.peer.remote.Addr().String(), ClientID: c.clientID, Principal: auth.User(user),
		API: api, Mechanism: mechanism, Reason: why.Error(),
	}
	switch d.Cause, d.Use = c.broker.loginCause(mechanism, user); {
	case errors.Is(why, errMechanism):
		d.Cause, d.Use = NoMechanism, strings.Join(c.node.saslMechanisms(), ", ")
	case errors.Is(why, auth.ErrNonce):
		d.Cause = OldClient
	case d.Cause == WrongPassword && !auth.WrongPassword(why):
		d.Cause = OtherCause
	}
	c.broker.denials.add(d)
	return fmt.Errorf("%w: %s", errHangUp, d)
}

// loginCause finds out why a user cannot log in by a mechanism, and by which one
// instead.
func (b *Broker) loginCause(mechanism, user string) (why LoginCause, use string) {
	b.scram.mu.Lock()
	defer b.scram.mu.Unlock()
	mechanisms := b.scram.mechanismsOf(user)
	_, has := b.scram.all[scramKey{user, scramMechanismOf(mechanism)}]
	if mechanism == auth.Plain {
		_, has = b.passwords[user]
	}
	switch {
	case user == "" || mechanism == auth.OAuthBearer:
		return OtherCause, ""
	case has:
		return WrongPassword, ""
	case len(mechanisms) > 0:
		return OtherMechanism, scramMechanism(mechanisms[0].Mechanism).String()
	case len(b.scram.all) == 0:
		return NoUsers, ""
	}
	return NoSuchUser, ""
}

// Rules is who may do what now; nil where there is no authorizer and everybody
// may do everything. They never change: after a change there are others.
func (b *Broker) Rules() *auth.Rules { return b.rules.Load() }
