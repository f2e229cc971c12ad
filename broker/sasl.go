package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns who a client is. Listeners are PLAINTEXT: nobody needs to
// authenticate, and everybody is the same user.

// anonymous is the user of a connection that did not authenticate
// (org.apache.kafka.common.security.auth.KafkaPrincipal).
const anonymous = "ANONYMOUS"

// user is the name of who sends the connection's requests.
func (c *conn) user() string { return anonymous }

// handleSASLHandshake serves SaslHandshake v0-v1.
func (b *Broker) handleSASLHandshake(r *request, req *kmsg.SASLHandshakeRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	resp.ErrorCode = kerr.IllegalSaslState.Code
	return resp, nil
}

// handleSASLAuthenticate serves SaslAuthenticate v0-v2.
func (b *Broker) handleSASLAuthenticate(r *request, req *kmsg.SASLAuthenticateRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	resp.ErrorCode, resp.ErrorMessage = codeAndText(fail(kerr.IllegalSaslState, "SaslAuthenticate request received after successful authentication"))
	return resp, nil
}
