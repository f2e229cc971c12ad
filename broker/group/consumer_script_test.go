package group

import (
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

// The scripts in testdata/consumer are of the same form as those for classic
// groups. A client's member id is its name; "-" is an answer that leaves the
// assignment as it is.
func TestConsumerScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/consumer/*.txt")
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
				s := newConsumerScript(t)
				for line := range strings.Lines(body) {
					line = strings.TrimRight(line, "\n")
					if strings.HasPrefix(line, "#") || line == "" || strings.HasPrefix(line, "> ") {
						s.printf("%s", line)
					}
					if strings.HasPrefix(line, "> ") {
						s.do(strings.Fields(line[2:]))
					}
				}
				got := strings.TrimRight(strings.Join(s.lines, "\n"), "\n")
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

// consumerScript is a group at a virtual time, the cluster that it is in, and
// the clients that talk to it.
type consumerScript struct {
	t       fataler
	cfg     *Config
	g       *Group
	now     time.Time
	due     time.Time
	timing  Timing
	topics  []Topic
	version uint64
	made    int // how many topics ever
	ids     int
	members map[string]*clientMember
	lines   []string
}

// clientMember is what a client remembers between requests.
type clientMember struct {
	name, id string
	epoch    int32 // of KIP-848, or a generation
	told     partitions
	instance *string
	protocol *string
}

func newConsumerScript(t fataler) *consumerScript {
	s := &consumerScript{t: t, now: start, version: 1, members: map[string]*clientMember{}}
	s.timing = Timing{SessionTimeout: 45 * time.Second, HeartbeatInterval: 5 * time.Second}
	s.cfg = &Config{
		MinSessionTimeout: 6 * time.Second, MaxSessionTimeout: 30 * time.Minute, MaxSize: 1000,
		OffsetMetadataMaxBytes: 4096, OffsetsRetention: 7 * 24 * time.Hour, OffsetsCheckInterval: 10 * time.Minute,
		NewUUID: func() string { s.ids++; return strconv.Itoa(s.ids) },
		Consumer: ConsumerConfig{
			Assignors: []string{"uniform", "range"}, MaxSize: 1000, Upgrade: true, Downgrade: true,
			NewMemberID: func() string { s.ids++; return "made-" + strconv.Itoa(s.ids) },
		},
	}
	s.g = NewGroup("g", s.cfg)
	return s
}

func (s *consumerScript) printf(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *consumerScript) cluster() Cluster {
	return Cluster{Version: s.version, All: slices.Values(s.topics), Lookup: func(name string, id [16]byte) Topic {
		for _, t := range s.topics {
			if t.Name == name || name == "" && t.ID == id {
				return t
			}
		}
		return Topic{Name: name, ID: id, Err: kerr.UnknownTopicOrPartition.Code}
	}}
}

// setTopics makes the cluster have these topics: "t1:4" is one of 4 partitions,
// "t1:4:new" such a one in place of another t1. What comes anew has another id.
func (s *consumerScript) setTopics(specs []string) {
	before := s.cluster()
	var topics []Topic
	for _, spec := range specs {
		parts := strings.Split(spec, ":")
		n, _ := strconv.Atoi(parts[1])
		t := before.Lookup(parts[0], [16]byte{})
		if t.Partitions = int32(n); t.Err != 0 || len(parts) > 2 {
			s.made++
			t.Err, t.ID = 0, [16]byte{14: byte(s.made >> 8), 15: byte(s.made)}
		}
		topics = append(topics, t)
	}
	s.topics, s.version = topics, s.version+1
}

func (s *consumerScript) member(name string) *clientMember {
	if s.members[name] == nil {
		s.members[name] = &clientMember{name: name, id: name}
	}
	return s.members[name]
}

func (s *consumerScript) named(ps partitions) string {
	var all []string
	ps.each(func(id [16]byte, p int32) {
		t := s.cluster().Lookup("", id)
		if t.Err != 0 {
			t.Name = fmt.Sprintf("#%d", id[15])
		}
		all = append(all, fmt.Sprintf("%s/%d", t.Name, p))
	})
	return "[" + strings.Join(all, " ") + "]"
}

func (s *consumerScript) do(words []string) {
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
	number := func(key string, otherwise int) int {
		n, err := strconv.Atoi(text(key, strconv.Itoa(otherwise)))
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
	list := func(key string) []string {
		if v, ok := args[key]; ok {
			return strings.FieldsFunc(v, func(r rune) bool { return r == ',' })
		}
		return nil
	}
	var c *clientMember
	if len(names) > 0 {
		c = s.member(names[0])
	}
	switch words[0] {
	case "topics":
		var gone []string
		before := s.topics
		s.setTopics(names)
		for _, t := range before {
			if s.cluster().Lookup(t.Name, t.ID).ID != t.ID {
				gone = append(gone, t.Name)
			}
		}
		s.effects(s.g.TopicsDeleted(s.now, gone...))
	case "config":
		s.timing.AssignmentInterval = span("interval", "0s")
		s.cfg.Consumer.MaxSize = number("max", 1000)
		s.cfg.Consumer.Upgrade, s.cfg.Consumer.Downgrade = MigrationPolicy(text("policy", "bidirectional"))
	case "join": // join a topics=t1,t2 regex=... : the first request of a member
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version = int16(number("v", 1))
		req.MemberID, req.InstanceID, req.RackID = text("member", c.id), optional("instance"), optional("rack")
		req.RebalanceTimeoutMillis = int32(span("rebalance", "30s").Milliseconds())
		req.SubscribedTopicNames, req.SubscribedTopicRegex = list("topics"), optional("regex")
		req.ServerAssignor = optional("assignor")
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		c.instance = req.InstanceID
		s.heartbeat(c, req)
	case "hb", "ack": // ack says that the member has what it was told, and no more
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version = int16(number("v", 1))
		req.MemberID, req.InstanceID, req.MemberEpoch = text("member", c.id), c.instance, int32(number("epoch", int(c.epoch)))
		if i := optional("instance"); i != nil {
			req.InstanceID = i
		}
		req.RebalanceTimeoutMillis = -1
		req.SubscribedTopicNames, req.SubscribedTopicRegex = list("topics"), optional("regex")
		req.ServerAssignor = optional("assignor")
		if words[0] == "ack" {
			req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			for _, t := range c.told {
				req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.topic, Partitions: t.partitions})
			}
		}
		s.heartbeat(c, req)
	case "raw": // raw k=v ...: a request with nothing else in it
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version = int16(number("v", 1))
		req.MemberID, req.InstanceID, req.RackID = text("member", ""), optional("instance"), optional("rack")
		req.MemberEpoch = int32(number("epoch", 0))
		req.RebalanceTimeoutMillis = int32(number("rebalance", -1))
		req.SubscribedTopicNames, req.SubscribedTopicRegex = list("topics"), optional("regex")
		req.ServerAssignor = optional("assignor")
		switch text("owned", "null") {
		case "none":
			req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		case "some":
			req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{Partitions: []int32{0}}}
		}
		if g := optional("group"); g != nil {
			s.g = NewGroup(*g, s.cfg)
		}
		s.heartbeat(&clientMember{name: "it"}, req)
	case "leave":
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version, req.MemberID, req.InstanceID, req.MemberEpoch = 1, text("member", c.id), c.instance, int32(number("epoch", -1))
		s.heartbeat(c, req)
	case "advance":
		s.advance(names[0])
	case "commit": // commit a t1/0=5
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.MemberID, req.Generation = int16(number("v", 9)), text("member", c.id), int32(number("epoch", int(c.epoch)))
		for _, k := range slices.Sorted(maps.Keys(args)) {
			if topic, partition, ok := strings.Cut(k, "/"); ok {
				n, _ := strconv.Atoi(partition)
				rt, rp := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
				rp.Partition, rp.Offset = int32(n), int64(number(k, 0))
				rt.Topic, rt.Partitions = topic, append(rt.Partitions, rp)
				req.Topics = append(req.Topics, rt)
			}
		}
		resp, e := s.g.CommitOffsets(s.now, req, s.cluster().Lookup, new(CommitMemory))
		s.effects(e)
		var codes []string
		for _, t := range resp.Topics {
			codes = append(codes, fmt.Sprintf("[%d]", t.Partitions[0].ErrorCode))
		}
		s.printf("%s", strings.Join(codes, " "))
	case "fetch": // fetch [a]: all that is committed, as a member or as nobody
		req := kmsg.NewOffsetFetchRequestGroup()
		req.MemberEpoch = -1
		if c != nil {
			id := text("member", c.id)
			req.MemberID, req.MemberEpoch = &id, int32(number("epoch", int(c.epoch)))
		}
		resp := s.g.FetchOffsets(int16(number("v", 9)), &req, s.cluster().Lookup)
		line := fmt.Sprintf("[%d]", resp.ErrorCode)
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				line += fmt.Sprintf(" %s/%d=%d", t.Topic, p.Partition, p.Offset)
			}
		}
		s.printf("%s", line)
	case "delete-offsets":
		req := kmsg.NewPtrOffsetDeleteRequest()
		for _, n := range names {
			req.Topics = append(req.Topics, kmsg.OffsetDeleteRequestTopic{Topic: n, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}})
		}
		resp, e := s.g.DeleteOffsets(s.now, req, s.cluster().Lookup)
		s.effects(e)
		line := fmt.Sprintf("[%d]", resp.ErrorCode)
		for _, t := range resp.Topics {
			line += fmt.Sprintf(" %s[%d]", t.Topic, t.Partitions[0].ErrorCode)
		}
		s.printf("%s", line)
	case "delete-group":
		err, e := s.g.Delete(s.now)
		s.effects(e)
		if err == nil {
			err = &kerr.Error{}
		}
		s.printf("[%d]", err.Code)
	case "describe":
		d := s.g.DescribeConsumer(s.cluster().Lookup)
		if d.ErrorCode != 0 {
			s.printf("[%d] %s", d.ErrorCode, reason(d.ErrorMessage))
			break
		}
		s.printf("%s epoch %d, assignment epoch %d by %s", d.State, d.Epoch, d.AssignmentEpoch, d.AssignorName)
		for _, m := range d.Members {
			line := fmt.Sprintf("  %s epoch %d type %d subscribed to %v", m.MemberID, m.MemberEpoch, m.MemberType, m.SubscribedTopics)
			if *m.SubscribedTopicRegex != "" {
				line += " and " + *m.SubscribedTopicRegex
			}
			if m.InstanceID != nil {
				line += ", instance " + *m.InstanceID
			}
			s.printf("%s, has %s, target %s", line, described(m.Assignment), described(m.TargetAssignment))
		}
	case "describe-classic":
		d := s.g.Describe(int16(number("v", 5)))
		s.printf("[%d] %s %q %s", d.ErrorCode, d.State, d.ProtocolType, reason(d.ErrorMessage))
	case "list":
		l := s.g.List()
		s.printf("%s %s %s %s", l.Group, l.ProtocolType, l.GroupState, l.GroupType)
	case "classic-join":
		req := kmsg.NewPtrJoinGroupRequest()
		req.Version = int16(number("v", 9))
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(span("session", "10s").Milliseconds()), int32(span("rebalance", "30s").Milliseconds())
		req.MemberID, req.InstanceID, req.ProtocolType = text("member", ""), optional("instance"), text("type", "consumer")
		if req.MemberID == "" && strings.HasPrefix(c.id, "made-") || strings.HasPrefix(c.id, c.name+"-") {
			req.MemberID = c.id
		}
		md := kmsg.NewConsumerMemberMetadata()
		md.Version, md.Topics = 1, list("topics")
		for _, t := range c.told {
			topic := s.cluster().Lookup("", t.topic)
			md.OwnedPartitions = append(md.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: topic.Name, Partitions: t.partitions})
		}
		for p := range strings.SplitSeq(text("protocols", "range"), ",") {
			raw := md.AppendTo(nil)
			if text("metadata", "") == "garbage" {
				raw = []byte{0}
			}
			req.Protocols = append(req.Protocols, kmsg.JoinGroupRequestProtocol{Name: p, Metadata: raw})
		}
		s.effects(s.g.Join(s.now, Client{c.name, "/127.0.0.1"}, req, c, s.cluster()))
	case "classic-sync":
		req := kmsg.NewPtrSyncGroupRequest()
		req.Version, req.MemberID, req.Generation = 5, c.id, int32(number("gen", int(c.epoch)))
		req.ProtocolType, req.Protocol = kmsg.StringPtr(text("type", "consumer")), kmsg.StringPtr(text("protocol", "range"))
		for k, v := range args {
			if other, ok := s.members[k]; ok { // the leader's assignment: a=t1/0,t1/1
				var b setBuilder
				for p := range strings.SplitSeq(v, ",") {
					topic, index, _ := strings.Cut(p, "/")
					n, _ := strconv.Atoi(index)
					b.add(s.cluster().Lookup(topic, [16]byte{}).ID, int32(n))
				}
				a := kmsg.NewConsumerMemberAssignment()
				for _, t := range b.done() {
					a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: s.cluster().Lookup("", t.topic).Name, Partitions: t.partitions})
				}
				a.UserData = []byte(text("userdata", ""))
				req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: other.id, MemberAssignment: a.AppendTo(nil)})
			}
		}
		s.effects(s.g.Sync(s.now, req, c))
	case "classic-hb":
		code, e := s.g.Heartbeat(s.now, &kmsg.HeartbeatRequest{MemberID: text("member", c.id), Generation: int32(number("gen", int(c.epoch))), InstanceID: optional("instance")})
		s.effects(e)
		s.printf("[%d]", code)
	case "classic-leave":
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Version = 5
		for _, n := range names {
			req.Members = append(req.Members, kmsg.LeaveGroupRequestMember{MemberID: s.member(n).id})
		}
		if i := optional("instance"); i != nil {
			req.Members = append(req.Members, kmsg.LeaveGroupRequestMember{InstanceID: i})
		}
		resp, e := s.g.Leave(s.now, req)
		s.effects(e)
		line := fmt.Sprintf("[%d]", resp.ErrorCode)
		for _, m := range resp.Members {
			line += fmt.Sprintf(" %s[%d]", m.MemberID, m.ErrorCode)
		}
		s.printf("%s", line)
	default:
		s.t.Fatalf("unknown command %v", words)
	}
}

func described(a kmsg.Assignment) string {
	var all []string
	for _, t := range a.TopicPartitions {
		for _, p := range t.Partitions {
			all = append(all, fmt.Sprintf("%s/%d", t.Topic, p))
		}
	}
	return "[" + strings.Join(all, " ") + "]"
}

func (s *consumerScript) heartbeat(c *clientMember, req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	resp, e := s.g.ConsumerHeartbeat(s.now, Client{c.name, "/127.0.0.1"}, req, s.cluster(), s.timing)
	s.effects(e)
	if resp.ErrorCode != 0 {
		s.printf("%s [%d] %s", c.name, resp.ErrorCode, reason(resp.ErrorMessage))
		return resp
	}
	c.id, c.epoch = *resp.MemberID, resp.MemberEpoch
	has := "-"
	if resp.Assignment != nil {
		c.told = nil
		for _, t := range resp.Assignment.Topics {
			c.told = append(c.told, topicPartitions{t.TopicID, t.Partitions})
		}
		has = s.named(c.told)
	}
	who := c.name
	if c.id != c.name {
		who += " as " + c.id
	}
	s.printf("%s epoch %d %s", who, c.epoch, has)
	return resp
}

func (s *consumerScript) advance(by string) {
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

func (s *consumerScript) effects(e Effects) {
	s.due = e.Deadline
	if e.Empty != (s.g.State() == Dead) || e.Empty && !e.Deadline.IsZero() {
		s.t.Fatalf("in state %s the group is called empty: %v, deadline %v", s.g.State(), e.Empty, e.Deadline)
	}
	for _, ev := range e.Events {
		if ev.From != ev.To {
			why := ev.Why
			if ev.Member != "" {
				why += ", " + ev.Member
			}
			s.printf("=> %s %d (%s)", ev.To, ev.Generation, why)
		}
	}
	for _, a := range e.Answers {
		c := a.Ticket.(*clientMember)
		switch r := a.Response.(type) {
		case *kmsg.JoinGroupResponse:
			if r.MemberID != "" {
				c.id = r.MemberID
			}
			if r.ErrorCode != 0 {
				s.printf("%s join [%d] %s", c.name, r.ErrorCode, r.MemberID)
				continue
			}
			c.epoch, c.protocol = r.Generation, r.Protocol
			s.printf("%s joined %d as %s, %s, led by %q", c.name, r.Generation, r.MemberID, *r.Protocol, r.LeaderID)
		case *kmsg.SyncGroupResponse:
			if r.ErrorCode != 0 {
				s.printf("%s sync [%d]", c.name, r.ErrorCode)
				continue
			}
			ps, _, err := parseAssignment(r.MemberAssignment, s.cluster().Lookup)
			if err != nil {
				s.t.Fatal(err)
			}
			c.told = ps
			s.printf("%s has %s", c.name, s.named(ps))
		}
	}
}
