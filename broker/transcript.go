package broker

import (
	"context"
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
// readable line each, for a test that failed, and for who follows them.

// transcriptLines is how many requests brokers of tests remember.
const transcriptLines = 50

// WithTranscript makes the broker remember the newest n requests; 0 for none.
// Brokers that [Start] has started remember 50, others none.
func WithTranscript(n int) Option { return func(o *options) { o.transcript = n } }

// transcript is a ring of the newest requests.
type transcript struct {
	mu    sync.Mutex
	lines []TranscriptLine
	total uint64
	news  changes
}

func newTranscript(n int) *transcript {
	if n <= 0 {
		return nil
	}
	return &transcript{lines: make([]TranscriptLine, n)}
}

// TranscriptLine is a request that was answered, or that never will be.
type TranscriptLine struct {
	Number     uint64 // counts up from 1
	Connection uint64
	ClientID   string
	Software   string // as the client calls itself (KIP-511); else empty
	API        string
	Version    int16
	Outcome    string // for which topic, partition or group, and what became of it
	Answered   time.Time
	Took       time.Duration
	// A line of heartbeats alike, with nothing between but others, is one.
	Times int       // how many they are; 0: one
	Since time.Time // when the first was answered
}

// String is the line as Transcript has it.
func (l TranscriptLine) String() string {
	client := strconv.Quote(l.ClientID)
	if l.Software != "" {
		client = l.Software + " " + client
	}
	line := fmt.Sprintf("%s %s #%d %s v%d: %s (%v)", l.Answered.Format(transcriptTime), client, l.Connection, l.API, l.Version, l.Outcome, short(l.Took))
	if l.Times > 0 {
		line += fmt.Sprintf(", %d times since %s", l.Times, l.Since.Format(transcriptTime))
	}
	return line
}

const transcriptTime = "15:04:05.000"

// short leaves out of a duration what nobody reads.
func short(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(10 * time.Microsecond)
}

// Transcript returns the newest requests with their outcomes, oldest first, one
// line each: when it was answered on the broker's clock, client, connection,
// API and version, what became of it for which topic, partition or group, and
// how long it took. It is kept by brokers that [Start] has started, and with
// [WithTranscript]; on others it is empty.
func (b *Broker) Transcript() []string {
	var lines []string
	for _, l := range b.TranscriptAfter(0) {
		lines = append(lines, l.String())
	}
	return lines
}

// TranscriptAfter returns what the transcript has behind the line with this
// number, oldest first.
func (b *Broker) TranscriptAfter(number uint64) (lines []TranscriptLine) {
	t := b.transcript
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	size := uint64(len(t.lines))
	for i := max(number, t.total-min(t.total, size)); i < t.total; i++ {
		lines = append(lines, t.lines[i%size])
	}
	return lines
}

// KeepsTranscript says whether there is a transcript.
func (b *Broker) KeepsTranscript() bool { return b.transcript != nil }

// FollowTranscript calls f for each line behind the one with this number, as
// they come, until ctx ends, the broker closes, or f returns an error. Lines
// that fell out of the transcript before f could be called are skipped.
func (b *Broker) FollowTranscript(ctx context.Context, number uint64, f func(TranscriptLine) error) error {
	t := b.transcript
	if t == nil {
		return errNoTranscript
	}
	t.news.waiting.Add(1)
	defer t.news.waiting.Add(-1)
	for {
		changed := t.news.following() // before looking, so that no line is missed
		for _, l := range b.TranscriptAfter(number) {
			if err := f(l); err != nil {
				return err
			}
			number = l.Number
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-b.closing:
			return errClosing
		}
	}
}

var errNoTranscript = errors.New("the broker keeps no transcript: start it with WithTranscript")

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
	l := TranscriptLine{
		ClientID: r.clientID, Software: r.softwareName, Connection: r.id, API: protocol.APIFor(r.key).Name, Version: r.version,
		Outcome: outcome(r.broker, r.body, resp, err), Answered: r.broker.clock.Now(),
	}
	l.Took = l.Answered.Sub(began)
	t.mu.Lock()
	if !t.fold(&l) {
		t.total++
		l.Number = t.total
		t.lines[(t.total-1)%uint64(len(t.lines))] = l
	}
	t.mu.Unlock()
	t.news.happened()
}

func (l *TranscriptLine) heartbeat() bool { return strings.HasSuffix(l.API, "Heartbeat") }

// fold makes one line of heartbeats that are alike and follow one another: they
// would push all else out. It needs t.mu.
func (t *transcript) fold(l *TranscriptLine) bool {
	size := uint64(len(t.lines))
	for n := t.total; l.heartbeat() && n > 0 && n+size > t.total; n-- {
		old := &t.lines[(n-1)%size]
		switch {
		case !old.heartbeat():
			return false
		case old.Connection == l.Connection && old.API == l.API && old.Outcome == l.Outcome:
			if old.Times == 0 {
				old.Times, old.Since = 1, old.Answered
			}
			old.Answered, old.Took = l.Answered, l.Took
			old.Times++
			return true
		}
	}
	return false
}

// outcome says in a few words what a request was about and what came of it.
func outcome(b *Broker, req kmsg.Request, resp kmsg.Response, err error) string {
	var s strings.Builder
	answer := reflect.Value{}
	if _, apart := resp.(*fetchAnswer); !apart {
		resp = asModel(resp)
	}
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
		s.WriteString("connection closed: " + reasonOf(err))
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

// about is the groups, topics and configs that a request names.
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
	resources := v.FieldByName("Resources") // of configs
	for i := 0; resources.IsValid() && i < resources.Len() && i < 8; i++ {
		e := resources.Index(i)
		if name := stringOf(e.FieldByName("ResourceName")); name != "" {
			names = append(names, name)
		}
		configs := e.FieldByName("Configs")
		for j := 0; configs.IsValid() && j < configs.Len() && j < 8; j++ {
			names = append(names, stringOf(configs.Index(j).FieldByName("Name")))
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
