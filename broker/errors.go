package broker

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// apiError is an answer's error code with its text for people.
type apiError struct {
	code    int16
	message string
}

func (e *apiError) Error() string { return e.message }

// Unwrap is the error's *kerr.Error, for programs that the broker is in.
func (e *apiError) Unwrap() error { return kerr.ErrorForCode(e.code) }

// fail makes an apiError with a text of our own.
func fail(e *kerr.Error, format string, args ...any) *apiError {
	return &apiError{code: e.Code, message: fmt.Sprintf(format, args...)}
}

// Texts that Apache Kafka gives with an error that has no details
// (org.apache.kafka.common.protocol.Errors).
var (
	errUnknownTopicOrPartition = fail(kerr.UnknownTopicOrPartition, "This server does not host this topic-partition.")
	errInvalidRequest          = fail(kerr.InvalidRequest, "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.")
	errUnknownTopicID          = fail(kerr.UnknownTopicID, "This server does not host this topic ID.")
)

// codeAndText splits an error for an answer; no error is 0 and null, and no
// text is null.
func codeAndText(e *apiError) (int16, *string) {
	switch {
	case e == nil:
		return 0, nil
	case e.message == "":
		return e.code, nil
	}
	return e.code, &e.message
}
