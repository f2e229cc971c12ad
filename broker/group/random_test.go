package group

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// check holds a group against what must be true between any two calls.
func check(g *Classic) error {
	joining, unsynced, static := 0, 0, 0
	supported := map[string]int{}
	for i, m := range g.order {
		if g.member(m.id) != m || slices.Index(g.order, m) != i {
			return fmt.Errorf("%s is not once among the members", m.id)
		}
		if _, ok := g.pending[m.id]; ok {
			return fmt.Errorf("%s is a member and pending", m.id)
		}
		if m.instance != nil {
			static++
			if g.static[*m.instance] != m {
				return fmt.Errorf("two members have the instance id %s", *m.instance)
			}
		}
		if m.join.waits {
			joining++
		}
		if m.unsynced {
			unsynced++
		}
		for _, p := range m.protocols {
			supported[p.name]++
		}
		if m.join.waits && g.state != PreparingRebalance {
			return fmt.Errorf("%s waits for a join in %s", m.id, g.state)
		}
		if m.sync.waits && g.state != CompletingRebalance {
			return fmt.Errorf("%s waits for a sync in %s", m.id, g.state)
		}
		if m.assignment == nil {
			return fmt.Errorf("%s has no assignment in %s", m.id, g.state)
		}
	}
	switch {
	case g.byID != nil && len(g.order) != len(g.byID) || static != len(g.static):
		return fmt.Errorf("%d members in order, %d by id; %d static, %d by instance", len(g.order), len(g.byID), static, len(g.static))
	case joining != g.awaitingJoin || unsynced != g.awaitingSync:
		return fmt.Errorf("%d joining, counted %d; %d unsynced, counted %d", joining, g.awaitingJoin, unsynced, g.awaitingSync)
	case (g.leader == nil) != (len(g.order) == 0) || g.leader != nil && g.member(g.leader.id) != g.leader:
		return fmt.Errorf("the leader is not one of the members")
	case (g.state == Empty || g.state == Dead) && len(g.order) > 0:
		return fmt.Errorf("%s with %d members", g.state, len(g.order))
	case (g.state == Stable || g.state == CompletingRebalance) && (len(g.order) == 0 || g.supporters(g.protocol) != len(g.order)):
		return fmt.Errorf("%s with %d members, %d of them with %q", g.state, len(g.order), g.supporters(g.protocol), g.protocol)
	case g.state == PreparingRebalance && g.joinDeadline.IsZero(),
		g.state != PreparingRebalance && !g.joinDeadline.IsZero(),
		g.awaitingSync > 0 && g.syncDeadline.IsZero():
		return fmt.Errorf("%s with join deadline %v, sync deadline %v", g.state, g.joinDeadline, g.syncDeadline)
	case len(supported) != len(g.supported):
		return fmt.Errorf("protocols %v, counted %v", supported, g.supported)
	}
	for p, n := range supported {
		if g.supporters(p) != n {
			return fmt.Errorf("protocols %v, counted %v", supported, g.supported)
		}
	}
	return nil
}

// Clients do anything at all, in any order. Whatever they do, the group keeps
// its invariants, forgets no answer and no committed offset, and comes to
// rest.
func TestRandomEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newScript(rt, "g")
		s.cfg.InitialRebalanceDelay = time.Duration(rapid.IntRange(0, 2).Draw(rt, "delay")) * time.Second
		s.cfg.MaxSize = rapid.IntRange(1, 6).Draw(rt, "max size")
		committed := map[string]int64{}
		generation := int32(0)
		names := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		draw := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, what) }
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			name := names.Draw(rt, "client")
			var words []string
			command := draw("command", "join", "join", "join", "sync", "sync", "heartbeat", "leave", "commit", "abandon",
				"advance", "advance", "delete-group", "delete-offsets", "forget", "unload")
			switch command {
			case "join":
				words = []string{"join", name, "v=" + draw("version", "0", "3", "4", "8", "9"),
					"protocols=" + draw("protocols", "range", "range,sticky", "sticky,range", "sticky", "range:t1,sticky:t1", "range:garbage"),
					"session=" + draw("session", "6s", "10s", "5s"), "rebalance=" + draw("rebalance", "0s", "5s", "20s", "7m")}
				if draw("static", "no", "no", "yes") == "yes" {
					words = append(words, "instance="+draw("instance", "i", "j"))
				}
			case "sync":
				words = []string{"sync", name, "assign=a:1,b:2,c:3"}
				if s.client(name).protocol == nil {
					words = append(words, "protocol=range")
				}
			case "heartbeat":
				words = []string{"heartbeat", name}
			case "leave":
				words = []string{"leave", name}
				if draw("by", "id", "instance") == "instance" {
					words = []string{"leave", "instance=i"}
				}
			case "commit":
				key := "t1/" + draw("partition", "0", "1")
				words = []string{"commit", name, fmt.Sprintf("%s=%d", key, len(s.lines))}
			case "delete-offsets":
				words = []string{"delete-offsets", "t1/0"}
			case "advance":
				words = []string{"advance", draw("time", "1ms", "1s", "5s", "10s", "30s", "6m")}
			case "forget": // the client restarts
				delete(s.clients, name)
				continue
			case "unload":
				if draw("really", "no", "no", "no", "yes") == "no" {
					continue
				}
				words = []string{"unload"}
			default:
				words = []string{command, name}
			}
			s.printf("> %v", words)
			s.do(words)
			// What the model knows of offsets.
			last := s.lines[len(s.lines)-1]
			switch {
			case command == "commit" && last == "[0]":
				var p string
				var n int64
				if _, err := fmt.Sscanf(words[2], "t1/%1s=%d", &p, &n); err != nil {
					rt.Fatal(err)
				}
				committed[p] = n
			case command == "delete-offsets" && last == "[0] t1[0]":
				delete(committed, "0")
			case command == "delete-group" && last == "[0]", command == "unload":
				clear(committed)
			}
			if err := check(s.g); err != nil {
				rt.Fatalf("%v after\n%s", err, lastLines(s.lines, 40))
			}
			if s.g.State() == Dead {
				generation = 0
			}
			if s.g.Generation() < generation {
				rt.Fatalf("generation %d after %d", s.g.Generation(), generation)
			}
			generation = s.g.Generation()
			for _, p := range s.g.Offsets().Partitions("t1") {
				if committed[fmt.Sprint(p.Partition)] != p.Offset {
					rt.Fatalf("t1/%d has %d, committed were %v", p.Partition, p.Offset, committed)
				}
			}
			if n := len(s.g.Offsets().Partitions("t1")); n != len(committed) {
				rt.Fatalf("%d offsets are left of %v", n, committed)
			}
		}
		s.advance("2h")
		if err := check(s.g); err != nil {
			rt.Fatalf("at rest: %v", err)
		}
		if len(s.waiting) > 0 {
			rt.Fatalf("never answered: %v after\n%s", s.waiting, lastLines(s.lines, 60))
		}
		if s.g.Members() > 0 {
			rt.Fatalf("%d silent members are left after\n%s", s.g.Members(), lastLines(s.lines, 60))
		}
		if want := len(committed) == 0; want != (s.g.State() == Dead) {
			rt.Fatalf("state %s with offsets %v", s.g.State(), committed)
		}
	})
}

func lastLines(lines []string, n int) string {
	out := ""
	for _, l := range lines[max(0, len(lines)-n):] {
		out += l + "\n"
	}
	return out
}

// Offsets behave as a map from partition to commit.
func TestOffsetsAgainstAMap(t *testing.T) {
	type at struct {
		topic     string
		partition int32
	}
	rapid.Check(t, func(rt *rapid.T) {
		var o Offsets
		model := map[at]Committed{}
		topic := rapid.SampledFrom([]string{"x", "y"})
		partition := rapid.Int32Range(0, 5)
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			k := at{topic.Draw(rt, "topic"), partition.Draw(rt, "partition")}
			switch rapid.IntRange(0, 4).Draw(rt, "do") {
			case 0, 1:
				c := Committed{Offset: rapid.Int64().Draw(rt, "offset"), CommitMillis: rapid.Int64Range(0, 100).Draw(rt, "at"),
					ExpireMillis: rapid.SampledFrom([]int64{-1, -1, 50}).Draw(rt, "expire")}
				o.Commit(k.topic, k.partition, c)
				model[k] = c
			case 2:
				_, had := model[k]
				if o.Delete(k.topic, k.partition) != had {
					rt.Fatalf("Delete says %v of %v", !had, k)
				}
				delete(model, k)
			case 3:
				o.DeleteTopic(k.topic)
				for m := range model {
					if m.topic == k.topic {
						delete(model, m)
					}
				}
			case 4:
				now := rapid.Int64Range(0, 150).Draw(rt, "now")
				since := rapid.SampledFrom([]int64{-1, 60}).Draw(rt, "since")
				gone := map[at]bool{}
				next := o.Expire(now, 20, since, func(t string) bool { return t == "y" }, func(t string, p int32) { gone[at{t, p}] = true })
				want := int64(math.MaxInt64)
				before := len(model)
				for m, c := range model {
					due := c.CommitMillis + 20
					if since >= 0 {
						due = since + 20
					}
					if c.ExpireMillis >= 0 {
						due = c.ExpireMillis
					}
					switch {
					case m.topic == "y":
					case due <= now:
						delete(model, m)
						if !gone[m] {
							rt.Fatalf("nobody was told that %v expired", m)
						}
					default:
						want = min(want, due)
					}
				}
				if len(gone) != before-len(model) {
					rt.Fatalf("%v are said to be gone, %d are left of %d", gone, len(model), before)
				}
				if next != want {
					rt.Fatalf("the next expires at %d, want %d", next, want)
				}
			}
			n := 0
			for _, name := range o.Topics() {
				ps := o.Partitions(name)
				n += len(ps)
				for i, p := range ps {
					if model[at{name, p.Partition}] != p.Committed || i > 0 && ps[i-1].Partition >= p.Partition {
						rt.Fatalf("%s has %v, want %v", name, ps, model)
					}
					if c, ok := o.Get(name, p.Partition); !ok || c != p.Committed {
						rt.Fatalf("Get finds %v, %v", c, ok)
					}
				}
			}
			if n != len(model) || o.None() != (n == 0) {
				rt.Fatalf("%d offsets, want %d", n, len(model))
			}
		}
	})
}

func TestAnEndlessRetentionDoesNotWrapIntoThePast(t *testing.T) {
	s := newScript(t, "g")
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.RetentionTimeMillis = 2, math.MaxInt64
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic = "t1"
	rt.Partitions = append(rt.Partitions, kmsg.NewOffsetCommitRequestTopicPartition())
	req.Topics = append(req.Topics, rt)
	_, e := s.g.CommitOffsets(s.now, req, topics, new(CommitMemory))
	s.effects(e)
	s.advance("87600h")
	if s.g.Offsets().None() {
		t.Fatal("the offset is gone after ten years")
	}
}

// Whatever members call their metadata, reading it neither fails nor panics.
func FuzzReadSubscription(f *testing.F) {
	f.Add(consumerMetadata(0, "t1", "t2"))
	f.Add(consumerMetadata(3))
	f.Add([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Add([]byte{0xff, 0xff})
	f.Fuzz(func(t *testing.T, metadata []byte) {
		before := string(metadata)
		s := readSubscription([][]byte{metadata, metadata})
		if s.known != (s.topics != nil) || string(metadata) != before {
			t.Fatalf("known %v with topics %v", s.known, s.topics)
		}
	})
}

func TestReadSubscription(t *testing.T) {
	m := kmsg.NewConsumerMemberMetadata()
	m.Topics = []string{"t1"}
	v0 := m.AppendTo(nil)
	for _, c := range []struct {
		name     string
		metadata [][]byte
		known    bool
		topics   []string
	}{
		{"no members consume nothing", nil, true, nil},
		{"what members consume is the union", [][]byte{consumerMetadata(0, "t1"), consumerMetadata(3, "t2", "t1")}, true, []string{"t1", "t2"}},
		{"a version from the future starts with version 0", [][]byte{consumerMetadata(99, "t1")}, true, []string{"t1"}},
		{"only what version 0 has is looked at", [][]byte{append([]byte{0, 3}, v0[2:]...)}, true, []string{"t1"}},
		{"a negative version is not read", [][]byte{consumerMetadata(-1, "t1")}, false, nil},
		{"one that cannot be read spoils it", [][]byte{consumerMetadata(0, "t1"), {0, 0, 0}}, false, nil},
		{"no bytes are not a subscription", [][]byte{{}}, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := readSubscription(c.metadata)
			if s.known != c.known || len(s.topics) != len(c.topics) {
				t.Fatalf("got %v, %v", s.topics, s.known)
			}
			for _, topic := range c.topics {
				if !slices.Contains(s.topics, topic) {
					t.Errorf("%s is missing in %v", topic, s.topics)
				}
			}
		})
	}
}
