package broker

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/auth"
	"minibroker/protocol"
)

// This file owns how a connection authenticates by SASL, and what it may send
// before: org.apache.kafka.common.security.authenticator.SaslServerAuthenticator.
// The mechanisms' own messages are auth's.

// saslState is what a connection has to send next.
type saslState int8

const (
	saslFirst     saslState = iota // ApiVersions or SaslHandshake
	saslHandshake                  // SaslHandshake, after ApiVersions
	saslTokens                     // the mechanism's messages
	saslDone                       // anything: it is authenticated
	saslAgain                      // SaslHandshake, of a session that goes on (KIP-368)
	saslRefused                    // nothing: the next message ends the connection
)

// againAfter is how often a connection may authenticate anew
// (org.apache.kafka.common.network.KafkaChannel).
const againAfter = time.Second

// saslSession is where a connection stands.
type saslSession struct {
	state     saslState
	bare      bool // tokens come without a request around them, after SaslHandshake v0
	mechanism string
	exchange  auth.Exchange
	refused   error // why, for the log

	// Of the session.
	before     auth.Principal // who it was; only while it authenticates again
	isAgain    bool
	beganAgain time.Time
	expires    time.Time // zero: never
}

// saslMechanisms are those that a broker offers.
func (n *node) saslMechanisms() []string {
	var offered []string
	for _, m := range n.config.Load().List("sasl.enabled.mechanisms") {
		if slices.Contains(auth.Mechanisms, m) {
			offered = append(offered, m)
		}
	}
	return offered
}

// hintUsers says so where clients must log in, and nobody can yet.
func (b *Broker) hintUsers() {
	n := b.nodes[0]
	asks := slices.IndexFunc(n.ports, func(p *port) bool { return p.protocol.sasl() })
	if asks < 0 || len(b.passwords) > 0 || slices.Contains(n.saslMechanisms(), auth.OAuthBearer) {
		return
	}
	b.log.Warn(fmt.Sprintf("clients must log in at a port that speaks %s, and there are no users: start with --user name:password, or add some in the web UI", n.ports[asks].protocol))
}

// SASLMechanisms are those that clients may log in by at ports that speak SASL.
func (b *Broker) SASLMechanisms() []string { return b.nodes[0].saslMechanisms() }

// user is the name of who sends the connection's requests.
func (c *conn) user() string { return c.principal.Name }

// admit has its say about each frame of a connection with SASL. taken says that
// the frame was no request, and is done with; the error ends the connection.
func (c *conn) admit(frame []byte) (taken bool, err error) {
	s := c.sasl
	switch s.state {
	case saslDone:
		return false, c.checkSession(frame)
	case saslRefused:
		return false, s.refused
	case saslTokens:
		if s.bare {
			return true, c.bareToken(frame)
		}
	}
	h, err := protocol.ParsePrefix(frame)
	api := protocol.APIFor(h.Key)
	switch {
	case err != nil || api == nil:
		return false, c.unauthenticated("the first message is no request of Kafka's; GSSAPI is not offered")
	case s.state == saslTokens && h.Key == keySaslAuthenticate,
		s.state != saslTokens && h.Key == keySaslHandshake,
		s.state == saslFirst && h.Key == protocol.KeyApiVersions:
		return false, nil
	case s.state == saslTokens:
		// It is answered, and then ends: see illegalSASLState.
		return false, nil
	}
	return false, c.unauthenticated(fmt.Sprintf("%s came before authentication", api.Name))
}

const (
	keySaslHandshake    = 17
	keySaslAuthenticate = 36
)

// unauthenticated is the error that ends a connection whose client does not know
// that it has to authenticate, with what to do about that.
func (c *conn) unauthenticated(what string) error {
	return fmt.Errorf("%w: %s: set security.protocol=%s, sasl.mechanism (%s) and a user in the client", errHangUp, what,
		c.peer.port.protocol, strings.Join(c.node.saslMechanisms(), ", "))
}

// checkSession ends a session that is over, and lets one that goes on
// authenticate again.
func (c *conn) checkSession(frame []byte) error {
	s := c.sasl
	if s.expires.IsZero() {
		return nil
	}
	now := c.broker.clock.Now()
	if h, err := protocol.ParsePrefix(frame); err == nil && h.Key == keySaslHandshake && (s.beganAgain.IsZero() || now.Sub(s.beganAgain) >= againAfter) {
		s.state, s.isAgain, s.before, s.beganAgain = saslAgain, true, c.principal, now
		return nil
	}
	if now.After(s.expires) {
		return fmt.Errorf("%w: the session of %s is over, and the client did not authenticate again (KIP-368)", errHangUp, c.principal)
	}
	return nil
}

// illegalSASLState answers a request that came instead of SaslAuthenticate, and
// then ends the connection; nil where a request may be handled.
func (r *request) illegalSASLState() kmsg.Response {
	if r.sasl == nil || r.sasl.state != saslTokens || r.key == keySaslAuthenticate {
		return nil
	}
	r.last = r.unauthenticated(fmt.Sprintf("%s came instead of SaslAuthenticate", protocol.APIFor(r.key).Name))
	return r.broker.refusal(r, kerr.IllegalSaslState)
}

// handleSASLHandshake serves SaslHandshake v0-v1 (v1: SaslAuthenticate carries
// the tokens, KIP-152).
func (b *Broker) handleSASLHandshake(r *request, req *kmsg.SASLHandshakeRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	s := r.sasl
	if s == nil || s.state == saslDone {
		resp.ErrorCode = kerr.IllegalSaslState.Code
		return resp, nil
	}
	resp.SupportedMechanisms = r.node.saslMechanisms()
	switch {
	case !slices.Contains(resp.SupportedMechanisms, req.Mechanism):
		resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		return resp, r.refuse(r.refuseLogin("SaslHandshake", req.Mechanism, "", errMechanism))
	case s.isAgain && req.Mechanism != s.mechanism:
		s.state = saslRefused
		s.refused = fmt.Errorf("%w: SASL mechanism '%s' requested by client is not supported for re-authentication of mechanism '%s'", errHangUp, req.Mechanism, s.mechanism)
		return resp, nil
	}
	s.bare = req.Version == 0
	s.state, s.mechanism = saslTokens, req.Mechanism
	s.exchange = auth.NewExchange(req.Mechanism, credentials{b}, b.clock.Now, b.random.nonce)
	return resp, nil
}

// handleSASLAuthenticate serves SaslAuthenticate v0-v2 (v1: the session's
// length).
func (b *Broker) handleSASLAuthenticate(r *request, req *kmsg.SASLAuthenticateRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	if r.sasl == nil || r.sasl.state != saslTokens {
		resp.ErrorCode, resp.ErrorMessage = codeAndText(fail(kerr.IllegalSaslState, "SaslAuthenticate request received after successful authentication"))
		return resp, nil
	}
	answer, err := r.step(req.SASLAuthBytes)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = codeAndText(fail(kerr.SaslAuthenticationFailed, "%s", r.sasl.tell(err)))
		return resp, r.refuse(r.refuseLogin("SaslAuthenticate", r.sasl.mechanism, r.sasl.exchange.Claims(), err))
	}
	resp.SASLAuthBytes = answer
	if s := r.sasl; s.state == saslDone && !s.expires.IsZero() {
		resp.SessionLifetimeMillis = max(0, s.expires.Sub(b.clock.Now()).Milliseconds())
	}
	return resp, nil
}

// bareToken takes one message of a mechanism, and answers it, without a request
// around either.
func (c *conn) bareToken(token []byte) error {
	answer, err := c.step(token)
	if err != nil {
		c.delayFailure()
		return c.refuseLogin("SaslAuthenticate", c.sasl.mechanism, c.sasl.exchange.Claims(), err)
	}
	dst := binary.BigEndian.AppendUint32(c.out.bytes(), uint32(len(answer)))
	c.out.setBytes(append(dst, answer...))
	return nil
}

// step hands one message to the mechanism, and lets the client in when that is
// content.
func (c *conn) step(message []byte) ([]byte, error) {
	s := c.sasl
	answer, err := s.exchange.Step(message)
	if err != nil {
		return nil, err
	}
	who := s.exchange.Identity()
	if who == nil {
		return answer, nil
	}
	if s.isAgain && who.Principal != s.before {
		return nil, &auth.Refusal{Text: fmt.Sprintf("Cannot change principals during re-authentication from %s.%s: %s.%s",
			s.before.Type, s.before.Name, who.Principal.Type, who.Principal.Name)}
	}
	c.principal, c.byToken = who.Principal, who.ByToken
	s.expires = c.sessionEnd(who)
	s.state, s.exchange, s.isAgain = saslDone, nil, false
	c.introduce()
	return answer, nil
}

// sessionEnd is when who must authenticate again; zero: never.
func (c *conn) sessionEnd(who *auth.Identity) (end time.Time) {
	if longest := c.node.config.Load().Duration("connections.max.reauth.ms"); longest > 0 {
		end = c.broker.clock.Now().Add(longest)
	}
	if who.Expires != 0 {
		if t := time.UnixMilli(who.Expires); end.IsZero() || t.Before(end) {
			end = t
		}
	}
	return end
}

// tell is what a client may know of why it was not let in.
func (s *saslSession) tell(err error) string {
	if refusal, ok := errors.AsType[*auth.Refusal](err); ok {
		return refusal.Text
	}
	what := "authentication"
	if s.isAgain {
		what = "re-authentication"
	}
	return fmt.Sprintf("Authentication failed during %s due to invalid credentials with SASL mechanism %s", what, s.mechanism)
}

var errMechanism = errors.New("the mechanism is not enabled")

// refuse makes the answer in work the connection's last. why is for the log.
func (r *request) refuse(why error) error {
	r.last = why
	return r.delayFailure()
}

// delayFailure keeps a client that guesses waiting.
func (c *conn) delayFailure() error {
	d := c.node.config.Load().Duration("connection.failed.authentication.delay.ms")
	if d > 0 && !c.broker.pause(d) {
		return errClosing
	}
	return nil
}

// nonce is something that nobody can guess.
func (r *random) nonce() string {
	id := r.bytes16()
	return base64.RawStdEncoding.EncodeToString(id[:])
}
