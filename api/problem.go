package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/twmb/franz-go/pkg/kerr"

	"minibroker/broker/fixture"
)

// This file owns what callers are told when something fails: what happened, and
// what to do.

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Title  string `json:"title" doc:"The HTTP status in words."`
	Status int    `json:"status" doc:"The HTTP status."`
	Detail string `json:"detail" doc:"What is wrong."`
	Remedy string `json:"remedy" doc:"What to do about it."`
	Code   string `json:"code,omitempty" doc:"Kafka's name of the error, where it is one."`
}

func (p *Problem) Error() string { return p.Detail + " " + p.Remedy }

// say is a problem that the API found itself.
func say(status int, detail, remedy string) error {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail, Remedy: remedy}
}

// remedies is what to do about Kafka's errors, and the nearest HTTP status.
var remedies = map[string]struct {
	status int
	remedy string
}{
	"TOPIC_ALREADY_EXISTS":         {http.StatusConflict, "Delete it first, or POST " + Prefix + "/reset."},
	"INVALID_TOPIC_EXCEPTION":      {http.StatusUnprocessableEntity, "Use letters, digits, '.', '_' and '-', 249 at most."},
	"UNKNOWN_TOPIC_OR_PARTITION":   {http.StatusNotFound, "GET " + Prefix + "/topics lists the topics; POST there makes one."},
	"INVALID_PARTITIONS":           {http.StatusUnprocessableEntity, "A topic has 1 partition or more, and never loses one."},
	"INVALID_REPLICATION_FACTOR":   {http.StatusUnprocessableEntity, "Leave it out, or use the number of brokers at most."},
	"INVALID_CONFIG":               {http.StatusUnprocessableEntity, "Names and values are Apache Kafka's, such as retention.ms."},
	"INVALID_REQUEST":              {http.StatusUnprocessableEntity, "Change what the detail says."},
	"POLICY_VIOLATION":             {http.StatusForbidden, "Ask for less."},
	"NON_EMPTY_GROUP":              {http.StatusConflict, "Stop the group's consumers first."},
	"UNKNOWN_MEMBER_ID":            {http.StatusConflict, "The group has members: stop its consumers first."},
	"REBALANCE_IN_PROGRESS":        {http.StatusConflict, "The group has members: stop its consumers first."},
	"GROUP_ID_NOT_FOUND":           {http.StatusNotFound, "GET " + Prefix + "/groups lists the groups."},
	"TRANSACTIONAL_ID_NOT_FOUND":   {http.StatusNotFound, "GET " + Prefix + "/transactions lists them."},
	"MESSAGE_TOO_LARGE":            {http.StatusRequestEntityTooLarge, "Send less, or raise the topic's max.message.bytes."},
	"RECORD_LIST_TOO_LARGE":        {http.StatusRequestEntityTooLarge, "Send less, or raise the topic's segment.bytes."},
	"INVALID_RECORD":               {http.StatusUnprocessableEntity, "In a compacted topic each record needs a key."},
	"OFFSET_OUT_OF_RANGE":          {http.StatusUnprocessableEntity, "Use an offset between the partition's start and its high watermark."},
	"TOPIC_DELETION_DISABLED":      {http.StatusConflict, "Start minibroker with --set delete.topic.enable=true."},
	"THROTTLING_QUOTA_EXCEEDED":    {http.StatusTooManyRequests, "Try again later, or raise the quota."},
	"TOPIC_AUTHORIZATION_FAILED":   {http.StatusForbidden, "Allow it by an ACL."},
	"GROUP_AUTHORIZATION_FAILED":   {http.StatusForbidden, "Allow it by an ACL."},
	"SECURITY_DISABLED":            {http.StatusConflict, "Start minibroker with --super-user name:password: then users need ACLs."},
	"UNACCEPTABLE_CREDENTIAL":      {http.StatusUnprocessableEntity, "Name the user."},
	"CLUSTER_AUTHORIZATION_FAILED": {http.StatusForbidden, "Allow it by an ACL."},
}

// kafka is the problem of an error code in an answer; nil for 0.
func kafka(code int16, message *string) error {
	e := kerr.TypedErrorForCode(code)
	if e == nil {
		return nil
	}
	detail := e.Description
	if message != nil && *message != "" {
		detail = *message
	}
	return kafkaProblem(e, detail)
}

func kafkaProblem(e *kerr.Error, detail string) *Problem {
	known, ok := remedies[e.Message]
	if !ok {
		known.status, known.remedy = http.StatusUnprocessableEntity, "Kafka's documentation of "+e.Message+" says more."
	}
	return &Problem{Title: http.StatusText(known.status), Status: known.status, Detail: detail, Remedy: known.remedy, Code: e.Message}
}

// explain finds the problem that err is.
func explain(err error) *Problem {
	if p := (*Problem)(nil); errors.As(err, &p) {
		return p
	}
	if e := (*kerr.Error)(nil); errors.As(err, &e) {
		return kafkaProblem(e, err.Error())
	}
	var as error
	switch {
	case errors.As(err, new(*fixture.Error)):
		as = say(http.StatusUnprocessableEntity, err.Error(), "Change that line and send the fixture again.")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		as = say(http.StatusRequestTimeout, err.Error(), "Wait longer by ?timeout=, or look why it does not come about.")
	default:
		as = say(http.StatusUnprocessableEntity, err.Error(), "Change what the detail says.")
	}
	return as.(*Problem)
}

func writeProblem(w http.ResponseWriter, err error) {
	p := explain(err)
	writeJSON(w, p.Status, "application/problem+json", p)
}
