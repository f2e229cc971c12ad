package ui

// This file owns what readers are told when something fails: what happened, and
// what to do.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// problem is a failure with the advice that fits.
type problem struct {
	status int
	Key    string // of the text in the reader's language
	Args   []any
	Code   string // Kafka's name of the error, if it is one
	Detail string // the broker's own words
}

func (p *problem) Error() string { return languages()[fallback].text(p.Key, p.Args...) }

// say is a problem that the UI found itself.
func say(status int, key string, args ...any) error {
	return &problem{status: status, Key: key, Args: args}
}

// refused is what the broker answered to a request.
func refused(err error, message string) error {
	if err == nil {
		return nil
	}
	p := *explain(err)
	if message != "" {
		p.Detail = message
	}
	return &p
}

// advice has the text for each of Kafka's errors that a reader can do something
// about, and the HTTP status that is nearest.
var advice = map[string]struct {
	key    string
	status int
}{
	"TOPIC_ALREADY_EXISTS":                  {"problem.topic.exists", http.StatusConflict},
	"INVALID_TOPIC_EXCEPTION":               {"problem.topic.name", http.StatusUnprocessableEntity},
	"UNKNOWN_TOPIC_OR_PARTITION":            {"problem.topic.unknown", http.StatusNotFound},
	"UNKNOWN_TOPIC_ID":                      {"problem.topic.unknown", http.StatusNotFound},
	"INVALID_PARTITIONS":                    {"problem.partitions", http.StatusUnprocessableEntity},
	"INVALID_REPLICATION_FACTOR":            {"problem.replicas", http.StatusUnprocessableEntity},
	"INVALID_CONFIG":                        {"problem.config", http.StatusUnprocessableEntity},
	"INVALID_REQUEST":                       {"problem.request", http.StatusUnprocessableEntity},
	"POLICY_VIOLATION":                      {"problem.policy", http.StatusForbidden},
	"NON_EMPTY_GROUP":                       {"problem.group.members", http.StatusConflict},
	"UNKNOWN_MEMBER_ID":                     {"problem.group.members", http.StatusConflict},
	"REBALANCE_IN_PROGRESS":                 {"problem.group.members", http.StatusConflict},
	"GROUP_SUBSCRIBED_TO_TOPIC":             {"problem.subscribed", http.StatusConflict},
	"GROUP_ID_NOT_FOUND":                    {"problem.group.unknown", http.StatusNotFound},
	"INVALID_GROUP_ID":                      {"problem.group.unknown", http.StatusNotFound},
	"TRANSACTIONAL_ID_NOT_FOUND":            {"problem.transaction.unknown", http.StatusNotFound},
	"MESSAGE_TOO_LARGE":                     {"problem.record.large", http.StatusRequestEntityTooLarge},
	"INVALID_RECORD":                        {"problem.record", http.StatusUnprocessableEntity},
	"NOT_ENOUGH_REPLICAS":                   {"problem.isr", http.StatusConflict},
	"SECURITY_DISABLED":                     {"problem.security.disabled", http.StatusConflict},
	"TOPIC_AUTHORIZATION_FAILED":            {"problem.denied", http.StatusForbidden},
	"GROUP_AUTHORIZATION_FAILED":            {"problem.denied", http.StatusForbidden},
	"CLUSTER_AUTHORIZATION_FAILED":          {"problem.denied", http.StatusForbidden},
	"ILLEGAL_SASL_STATE":                    {"problem.login.none", http.StatusBadGateway},
	"SASL_AUTHENTICATION_FAILED":            {"problem.login.wrong", http.StatusBadGateway},
	"UNSUPPORTED_SASL_MECHANISM":            {"problem.login.mechanism", http.StatusBadGateway},
	"DELEGATION_TOKEN_AUTHORIZATION_FAILED": {"problem.denied", http.StatusForbidden},
	"DELEGATION_TOKEN_AUTH_DISABLED":        {"problem.token.disabled", http.StatusConflict},
	"DELEGATION_TOKEN_REQUEST_NOT_ALLOWED":  {"problem.token.login", http.StatusForbidden},
	"INVALID_PRINCIPAL_TYPE":                {"problem.token.owner", http.StatusUnprocessableEntity},
	"RESOURCE_NOT_FOUND":                    {"problem.user.gone", http.StatusNotFound},
	"DELEGATION_TOKEN_OWNER_MISMATCH":       {"problem.token.owners", http.StatusForbidden},
	"DELEGATION_TOKEN_EXPIRED":              {"problem.token.gone", http.StatusNotFound},
	"DELEGATION_TOKEN_NOT_FOUND":            {"problem.token.gone", http.StatusNotFound},
}

// explain finds the words for err.
func explain(err error) *problem {
	if p := (*problem)(nil); errors.As(err, &p) {
		return p
	}
	if k := (*kerr.Error)(nil); errors.As(err, &k) {
		p := &problem{status: http.StatusBadGateway, Key: "problem.kafka", Code: k.Message, Detail: k.Description}
		if a, ok := advice[k.Message]; ok {
			p.Key, p.status = a.key, a.status
		}
		return p
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled) {
		return &problem{status: http.StatusGatewayTimeout, Key: "problem.silent", Detail: err.Error()}
	}
	if errors.As(err, new(*kgo.ErrFirstReadEOF)) {
		return &problem{status: http.StatusBadGateway, Key: "problem.login.missing", Detail: err.Error()}
	}
	return &problem{status: http.StatusBadGateway, Key: handshakes(err), Detail: err.Error()}
}

// handshakes is the text for who does not get through TLS, or does not reach
// anybody at all.
func handshakes(err error) string {
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "problem.tls.ca"
	case errors.As(err, new(x509.HostnameError)):
		return "problem.tls.name"
	case errors.As(err, new(tls.RecordHeaderError)):
		return "problem.tls.plain"
	case strings.Contains(err.Error(), "tls: certificate required"), strings.Contains(err.Error(), "tls: bad certificate"):
		return "problem.tls.cert"
	}
	return "problem.unreachable"
}

// LoginAdvice is what to do where a client was not let into a cluster, in one
// line; empty for other errors.
func LoginAdvice(err error) string {
	if p := explain(err); strings.HasPrefix(p.Key, "problem.login.") || strings.HasPrefix(p.Key, "problem.tls.") {
		return p.Error()
	}
	return ""
}
