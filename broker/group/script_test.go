package group

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var update = flag.Bool("update", false, "rewrite what the scripts in testdata expect")

// Each file in testdata is a list of scenarios. "== name" starts one, with a
// new group at time 0; "#" is a comment; "> command" is done and what follows
// it is expected to come of it. "=> State generation (why, member)" is a
// transition, "a ..." the answer to client a.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var rewritten strings.Builder
		for _, scenario := range strings.Split(strings.TrimPrefix(string(raw), "== "), "\n== ") {
			name, body, _ := strings.Cut(strings.TrimRight(scenario, "\n"), "\n")
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+name, func(t *testing.T) {
				got := runScript(t, body)
				fmt.Fprintf(&rewritten, "== %s\n%s\n\n", name, got)
				if !*update && got != strings.TrimRight(body, "\n") {
					t.Errorf("got:\n%s\n\nwant:\n%s", got, body)
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, []byte(strings.TrimSuffix(rewritten.String(), "\n")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func runScript(t *testing.T, body string) string {
	s := newScript(t, "g")
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"), line == "":
			s.printf("%s", line)
		case strings.HasPrefix(line, "> "):
			s.printf("%s", line)
			s.do(strings.Fields(line[2:]))
		}
	}
	return strings.TrimRight(strings.Join(s.lines, "\n"), "\n")
}

// script is a group at a virtual time and the clients that talk to it.
type script struct {
	t       fataler
	cfg     *Config
	g       *Classic
	now     time.Time
	uuids   int
	due     time.Time
	clients map[string]*client
	waiting map[Ticket]bool
	tickets int
	lines   []string
	stored  map[string]Record // what compaction would keep of the records
}

// client is what a member remembers between requests.
type client struct {
	name, id   string
	generation int32
	protocol   *string
}

// ticket is whose request waits; each request has its own.
type ticket struct {
	c *client
	n int
}

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

func newScript(t fataler, id string) *script {
	s := &script{t: t, now: start, clients: map[string]*client{}, waiting: map[Ticket]bool{}, stored: map[string]Record{}}
	s.cfg = &Config{
		MinSessionTimeout: 6 * time.Second, MaxSessionTimeout: 30 * time.Minute, MaxSize: 1000,
		OffsetMetadataMaxBytes: 4096, OffsetsRetention: 7 * 24 * time.Hour, OffsetsCheckInterval: 10 * time.Minute,
		NewUUID: func() string { s.uuids++; return strconv.Itoa(s.uuids) },
	}
	s.g = New(id, s.cfg)
	return s
}

func (s *script) printf(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *script) client(name string) *client {
	if s.clients[name] == nil {
		s.clients[name] = &client{name: name, generation: -1}
	}
	return s.clients[name]
}

func (s *script) park(c *client) Ticket {
	s.tickets++
	t := ticket{c, s.tickets}
	s.waiting[t] = true
	return t
}

// topics is the cluster: t0 to t9 with 8 partitions each and an id that ends
// in the digit.
func topics(name string, id [16]byte) Topic {
	unknown := Topic{Name: name, Err: kerr.UnknownTopicOrPartition.Code}
	if name == "" {
		if id[15] == 0 || id[15] > 9 {
			return Topic{Err: kerr.UnknownTopicID.Code}
		}
		name = "t" + strconv.Itoa(int(id[15]))
	}
	if len(name) != 2 || name[0] != 't' || name[1] < '0' || name[1] > '9' {
		return unknown
	}
	return Topic{Name: name, ID: [16]byte{15: name[1] - '0'}, Partitions: 8}
}

// consumerMetadata is what a consumer sends of itself: topics t1+t2 in
// version v, with something behind that older brokers do not know.
func consumerMetadata(version int16, topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = version, topics
	return append(m.AppendTo(nil), "later fields"...)
}

func (s *script) do(words []string) {
	args := map[string]string{}
	var names []string
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			names = append(names, w)
		}
	}
	text := func(key, otherwise string) string {
		if v, ok := args[key]; ok {
			return v
		}
		return otherwise
	}
	number := func(key string, otherwise int64) int64 {
		n, err := strconv.ParseInt(text(key, strconv.FormatInt(otherwise, 10)), 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		return n
	}
	span := func(key, otherwise string) time.Duration {
		d, err := time.ParseDuration(text(key, otherwise))
		if err != nil {
			s.t.Fatal(err)
		}
		return d
	}
	optional := func(key string) *string {
		if v, ok := args[key]; ok {
			return &v
		}
		return nil
	}
	var c *client
	if len(names) > 0 {
		c = s.client(names[0])
	}
	switch words[0] {
	case "config":
		s.cfg.InitialRebalanceDelay = span("delay", "0s")
		s.cfg.MaxSize = int(number("max", 1000))
	case "group":
		s.g = New(text("id", ""), s.cfg)
		clear(s.stored)
	case "join":
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version = int16(number("v", 9))
		req.SessionTimeoutMillis = int32(span("session", "10s").Milliseconds())
		req.RebalanceTimeoutMillis = int32(span("rebalance", "20s").Milliseconds())
		req.MemberID, req.InstanceID = text("member", c.id), optional("instance")
		req.ProtocolType, req.Reason = text("type", "consumer"), optional("reason")
		for p := range strings.SplitSeq(text("protocols", "range"), ",") {
			name, subscribed, _ := strings.Cut(p, ":")
			md := consumerMetadata(3, strings.FieldsFunc(subscribed, func(r rune) bool { return r == '+' })...)
			if subscribed == "garbage" {
				md = []byte("garbage")
			}
			if name != "" {
				req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: md})
			}
		}
		s.effects(s.g.Join(s.now, Client{c.name, "/127.0.0.1"}, req, s.park(c)))
		for i := range req.Protocols { // the frame is used again
			clear(req.Protocols[i].Metadata)
		}
	case "sync":
		req := kmsg.NewPtrSyncGroupRequest()
		req.Version = int16(number("v", 5))
		req.Generation = int32(number("gen", int64(c.generation)))
		req.MemberID, req.InstanceID = text("member", c.id), optional("instance")
		if v := text("type", "consumer"); v != "null" {
			req.ProtocolType = &v
		}
		req.Protocol = c.protocol
		if p := optional("protocol"); p != nil {
			req.Protocol = p
		}
		for a := range strings.SplitSeq(text("assign", ""), ",") {
			name, what, _ := strings.Cut(a, ":")
			if name != "" {
				req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{
					MemberID: s.client(name).id, MemberAssignment: []byte(what),
				})
			}
		}
		s.effects(s.g.Sync(s.now, req, s.park(c)))
		for i := range req.GroupAssignment {
			clear(req.GroupAssignment[i].MemberAssignment)
		}
	case "heartbeat":
		req := kmsg.NewPtrHeartbeatRequest()
		req.Generation = int32(number("gen", int64(c.generation)))
		req.MemberID, req.InstanceID = text("member", c.id), optional("instance")
		code, e := s.g.Heartbeat(s.now, req)
		s.effects(e)
		s.printf("[%d]", code)
	case "leave":
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Version = int16(number("v", 5))
		for _, name := range names {
			id := s.client(name).id
			if id == "" {
				id = name
			}
			req.MemberID = id
			req.Members = append(req.Members, kmsg.LeaveGroupRequestMember{MemberID: id, InstanceID: optional("instance"), Reason: optional("reason")})
		}
		if len(names) == 0 {
			req.Members = []kmsg.LeaveGroupRequestMember{{InstanceID: optional("instance")}}
		}
		resp, e := s.g.Leave(s.now, req)
		line := fmt.Sprintf("[%d]", resp.ErrorCode)
		for _, m := range resp.Members {
			line += fmt.Sprintf(" %s[%d]", m.MemberID, m.ErrorCode)
		}
		s.effects(e)
		s.printf("%s", line)
	case "commit": // commit a t1/0=5 ...
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version = int16(number("v", 8))
		req.Generation = int32(number("gen", int64(c.generation)))
		req.MemberID, req.InstanceID = text("member", c.id), optional("instance")
		req.RetentionTimeMillis = span("retention", "-1ms").Milliseconds()
		for _, k := range slices.Sorted(maps.Keys(args)) {
			topic, partition, ok := strings.Cut(k, "/")
			if !ok {
				continue
			}
			rt := kmsg.NewOffsetCommitRequestTopic()
			rt.Topic, rt.TopicID = topicNamed(req.Version, topic)
			rp := kmsg.NewOffsetCommitRequestTopicPartition()
			n, _ := strconv.Atoi(partition)
			rp.Partition, rp.Offset, rp.Metadata = int32(n), number(k, 0), optional("metadata")
			if n := number("length", 0); n > 0 {
				rp.Metadata = kmsg.StringPtr(strings.Repeat("é", int(n)))
			}
			rp.Timestamp = span("timestamp", "-1ms").Milliseconds()
			if rp.Timestamp != -1 {
				rp.Timestamp += start.UnixMilli()
			}
			rt.Partitions = append(rt.Partitions, rp)
			req.Topics = append(req.Topics, rt)
		}
		resp, e := s.g.CommitOffsets(s.now, req, topics, new(CommitMemory))
		s.effects(e)
		var codes []string
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				codes = append(codes, fmt.Sprintf("[%d]", p.ErrorCode))
			}
		}
		s.printf("%s", strings.Join(codes, " "))
	case "fetch": // fetch [t1/0 ...]; nothing named is all
		version := int16(number("v", 9))
		req := kmsg.NewOffsetFetchRequestGroup()
		for _, n := range names {
			topic, partition, _ := strings.Cut(n, "/")
			p, _ := strconv.Atoi(partition)
			rt := kmsg.OffsetFetchRequestGroupTopic{Partitions: []int32{int32(p)}}
			rt.Topic, rt.TopicID = topicNamed(version, topic)
			req.Topics = append(req.Topics, rt)
		}
		line := ""
		for _, t := range s.g.FetchOffsets(version, &req, topics).Topics {
			name := t.Topic
			if version >= 10 {
				name = fmt.Sprintf("#%d", t.TopicID[15])
			}
			for _, p := range t.Partitions {
				line += fmt.Sprintf("%s/%d=%d %q [%d]  ", name, p.Partition, p.Offset, *p.Metadata, p.ErrorCode)
			}
		}
		s.printf("committed: %s", strings.TrimSpace(line))
	case "delete-offsets":
		req := kmsg.NewPtrOffsetDeleteRequest()
		for _, n := range names {
			topic, partition, _ := strings.Cut(n, "/")
			p, _ := strconv.Atoi(partition)
			req.Topics = append(req.Topics, kmsg.OffsetDeleteRequestTopic{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: int32(p)}}})
		}
		resp, e := s.g.DeleteOffsets(s.now, req, topics)
		line := fmt.Sprintf("[%d]", resp.ErrorCode)
		for _, t := range resp.Topics {
			line += fmt.Sprintf(" %s[%d]", t.Topic, t.Partitions[0].ErrorCode)
		}
		s.effects(e)
		s.printf("%s", line)
	case "delete-topics":
		s.effects(s.g.TopicsDeleted(s.now, names...))
	case "delete-group":
		err, e := s.g.Delete(s.now)
		s.effects(e)
		code := int16(0)
		if err != nil {
			code = err.Code
		}
		s.printf("[%d]", code)
	case "describe":
		d := s.g.Describe(int16(number("v", 5)))
		s.printf("[%d] %s %s type %q protocol %q", d.ErrorCode, d.Group, d.State, d.ProtocolType, d.Protocol)
		if d.ErrorMessage != nil {
			s.printf("  %s", *d.ErrorMessage)
		}
		for _, m := range d.Members {
			line := fmt.Sprintf("  %s", m.MemberID)
			if m.InstanceID != nil {
				line += " instance " + *m.InstanceID
			}
			line += fmt.Sprintf(", client %s %s, assignment %q", m.ClientID, m.ClientHost, m.MemberAssignment)
			if md := kmsg.NewConsumerMemberMetadata(); md.ReadFrom(m.ProtocolMetadata) == nil {
				line += fmt.Sprintf(", subscribed to %v", md.Topics)
			}
			s.printf("%s", line)
		}
	case "list":
		split := func(key string) []string {
			return strings.FieldsFunc(text(key, ""), func(r rune) bool { return r == ',' })
		}
		l := s.g.List()
		s.printf("%v: %s %s %s", NewFilter(split("states"), split("types")).Match(l), l.Group, l.GroupState, l.GroupType)
	case "unload":
		s.effects(s.g.Unload(s.now))
	case "abandon": // the connection of the client's waiting request ends
		for t := range s.waiting {
			if t.(ticket).c == c {
				s.g.Abandon(t)
				delete(s.waiting, t)
			}
		}
	case "advance":
		s.advance(names[0])
	case "live": // live a for=1h: heartbeats, and nothing else
		for end := s.now.Add(span("for", "0s")); s.now.Before(end); {
			s.advance("5s")
			code, e := s.g.Heartbeat(s.now, &kmsg.HeartbeatRequest{MemberID: c.id, Generation: c.generation})
			s.effects(e)
			if code != 0 {
				s.t.Fatalf("%s lives no longer: %d", c.id, code)
			}
		}
	default:
		s.t.Fatalf("unknown command %v", words)
	}
}

func topicNamed(version int16, name string) (string, [16]byte) {
	if version < 10 {
		return name, [16]byte{}
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(name, "t"))
	return "", [16]byte{15: byte(n)}
}

// advance moves time on, stopping at each deadline.
func (s *script) advance(by string) {
	d, err := time.ParseDuration(by)
	if err != nil {
		s.t.Fatal(err)
	}
	end := s.now.Add(d)
	for !s.due.IsZero() && !s.due.After(end) {
		if s.due.After(s.now) {
			s.now = s.due
		}
		n := len(s.lines)
		s.effects(s.g.Expire(s.now))
		for i := n; i < len(s.lines); i++ {
			s.lines[i] = fmt.Sprintf("%s: %s", s.now.Sub(start), s.lines[i])
		}
		if !s.due.IsZero() && !s.due.After(s.now) {
			s.t.Fatalf("after Expire at %s the deadline is %s, not later", s.now.Sub(start), s.due.Sub(start))
		}
	}
	s.now = end
}

func (s *script) effects(e Effects) {
	s.due = e.Deadline
	if e.Empty != (s.g.State() == Dead) || e.Empty && !e.Deadline.IsZero() {
		s.t.Fatalf("in state %s the group is called empty: %v, deadline %v", s.g.State(), e.Empty, e.Deadline)
	}
	s.store(e)
	for _, ev := range e.Events {
		if ev.From != ev.To {
			why := ev.Why
			if ev.Member != "" {
				why += ", " + ev.Member
			}
			if ev.Reason != "" {
				why += ": " + ev.Reason
			}
			s.printf("=> %s %d (%s)", ev.To, ev.Generation, why)
		}
	}
	for _, a := range e.Answers {
		if !s.waiting[a.Ticket] {
			s.t.Fatalf("%v was answered twice, or after it was abandoned", a.Ticket)
		}
		delete(s.waiting, a.Ticket)
		s.answered(a.Ticket.(ticket).c, a.Response)
	}
}

func (s *script) answered(c *client, r kmsg.Response) {
	switch r := r.(type) {
	case *kmsg.JoinGroupResponse:
		if r.MemberID != "" {
			c.id = r.MemberID
		}
		if r.ErrorCode != 0 {
			s.printf("%s join [%d] %s generation %d", c.name, r.ErrorCode, r.MemberID, r.Generation)
			return
		}
		c.generation, c.protocol = r.Generation, r.Protocol
		var members []string
		for _, m := range r.Members {
			members = append(members, m.MemberID)
		}
		skip := ""
		if r.SkipAssignment {
			skip = ", assignment skipped"
		}
		s.printf("%s joined %d as %s, %s, led by %s %v%s", c.name, r.Generation, r.MemberID, *r.Protocol, r.LeaderID, members, skip)
	case *kmsg.SyncGroupResponse:
		if r.ErrorCode != 0 {
			s.printf("%s sync [%d]", c.name, r.ErrorCode)
			return
		}
		s.printf("%s has %q (%s %s)", c.name, r.MemberAssignment, *r.ProtocolType, *r.Protocol)
	}
}
