package broker

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

// This file owns the transcript: the newest requests with their outcomes, one
// readable line each, for a test that failed. It is kept only on brokers that
// Start has started.

// transcriptLines is how many requests are remembered.
const transcriptLines = 50

// transcript is a ring of the newest requests.
type transcript struct {
	mu    sync.Mutex
	lines [transcriptLines]transcriptLine
	total int
}

type transcriptLine struct {
	client       string
	connection   uint64
	key, version int16
	outcome      string
	answered     time.Time
	took         time.Duration
}

// String is the line without the time.
func (l *transcriptLine) String() string {
	return fmt.Sprintf("%s #%d %s v%d: %s (%v)", l.client, l.connection, protocol.APIFor(l.key).Name, l.version, l.outcome, l.took)
}

// Transcript returns the newest requests with their outcomes, oldest first, one
// line each: when it was answered on the broker's clock, client, connection,
// API and version, what became of it for which topic, partition or group, and
// how long it took. It is kept by brokers that [Start] has started; on others
// it is empty.
func (b *Broker) Transcript() []string {
	t := b.transcript
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for i := max(0, t.total-transcriptLines); i < t.total; i++ {
		l := &t.lines[i%transcriptLines]
		lines = append(lines, l.answered.Format("15:04:05.000 ")+l.String())
	}
	return lines
}

// began is the time at which a request comes into work; zero if nobody keeps it.
func (t *transcript) began(r *request) (at time.Time) {
	if t != nil {
		at = r.broker.clock.Now()
	}
	return at
}

// add keeps a request that was answered.
func (t *transcript) add(r *request, began time.Time, resp kmsg.Response, err error) {
	if t == nil {
		return
	}
	l := transcriptLine{
		client: strconv.Quote(r.clientID), connection: r.id, key: r.key, version: r.version,
		outcome: outcome(r.broker, r.body, resp, err), answered: r.broker.clock.Now(),
	}
	if r.softwareName != "" {
		l.client = r.softwareName + " " + l.client
	}
	l.took = l.answered.Sub(began)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines[t.total%transcriptLines] = l
	t.total++
}

// outcome says in a few words what a request was about and what came of it.
func outcome(b *Broker, req kmsg.Request, resp kmsg.Response, err error) string {
	var s strings.Builder
	answer := reflect.Value{}
	switch resp := resp.(type) {
	case nil:
	case *kmsg.ProduceResponse:
		for i := range resp.Topics {
			name := b.topicOf(reflect.ValueOf(&resp.Topics[i]).Elem())
			for _, p := range resp.Topics[i].Partitions {
				item(&s, name, p.Partition, p.ErrorCode, "stored at "+strconv.FormatInt(p.BaseOffset, 10))
			}
		}
		return cut(s.String())
	case *fetchAnswer:
		return fetchOutcome(b, &resp.FetchResponse, resp.counts, resp.slices)
	case *kmsg.FetchResponse:
		return fetchOutcome(b, resp, nil, nil)
	default:
		answer = reflect.ValueOf(resp).Elem()
	}
	for _, name := range about(b, reflect.ValueOf(req).Elem()) {
		s.WriteString(name + " ")
	}
	switch codes := errorCodes(answer, nil); {
	case errors.Is(err, errDropped):
		s.WriteString("connection dropped by a fault")
	case err != nil:
		s.WriteString("connection closed: " + err.Error())
	case resp == nil:
		s.WriteString("no answer")
	case len(codes) == 0:
		s.WriteString("ok")
	default:
		for i, code := range codes {
			if i > 0 {
				s.WriteString(", ")
			}
			s.WriteString(errorName(code))
		}
	}
	return cut(s.String())
}

func fetchOutcome(b *Broker, resp *kmsg.FetchResponse, counts []int32, parts [][]byte) string {
	var s strings.Builder
	if resp.ErrorCode != 0 {
		return errorName(resp.ErrorCode)
	}
	k := 0
	for i := range resp.Topics {
		name := b.topicOf(reflect.ValueOf(&resp.Topics[i]).Elem())
		for _, p := range resp.Topics[i].Partitions {
			size := len(p.RecordBatches)
			if counts != nil {
				n := counts[k]
				size, parts, k = sizeOf(parts[:n]), parts[n:], k+1
			}
			item(&s, name, p.Partition, p.ErrorCode, strconv.Itoa(size)+" bytes")
		}
	}
	if s.Len() == 0 {
		return "nothing new"
	}
	return cut(s.String())
}

// item adds what became of one partition.
func item(s *strings.Builder, topic string, partition int32, code int16, ok string) {
	if s.Len() > 0 {
		s.WriteString(", ")
	}
	if code != 0 {
		ok = errorName(code)
	}
	fmt.Fprintf(s, "%s-%d %s", topic, partition, ok)
}

func errorName(code int16) string {
	if e := kerr.TypedErrorForCode(code); e != nil {
		return e.Message
	}
	return "error " + strconv.Itoa(int(code))
}

// about is the groups and topics that a request names.
func about(b *Broker, v reflect.Value) (names []string) {
	for _, field := range []string{"Group", "TransactionalID", "CoordinatorKey"} {
		if name := stringOf(v.FieldByName(field)); name != "" {
			names = append(names, name)
		}
	}
	for _, field := range []string{"Topics", "TopicNames", "Groups", "CoordinatorKeys"} {
		list := v.FieldByName(field)
		for i := 0; list.IsValid() && i < list.Len() && i < 8; i++ {
			e := list.Index(i)
			name := b.topicOf(e)
			if name == "" && e.Kind() == reflect.Struct {
				name = stringOf(e.FieldByName("Group"))
			}
			if name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// errorCodes adds the different error codes in an answer to codes.
func errorCodes(v reflect.Value, codes []int16) []int16 {
	if !v.IsValid() {
		return codes
	}
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case v.Type().Field(i).Name == "ErrorCode":
			code, known := int16(f.Int()), f.Int() == 0
			for _, c := range codes {
				known = known || c == code
			}
			if !known {
				codes = append(codes, code)
			}
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			for j := range f.Len() {
				codes = errorCodes(f.Index(j), codes)
			}
		}
	}
	return codes
}

// cut keeps a line short.
func cut(s string) string {
	const most = 160
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
