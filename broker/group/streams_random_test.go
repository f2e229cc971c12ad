package group

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// streamsSim is a streams group at a virtual time, the cluster that it is in,
// and the threads that talk to it.
type streamsSim struct {
	*consumerScript
	settings StreamsSettings
	app      *kmsg.StreamsGroupHeartbeatRequestTopology
	log      []string
}

func newStreamsSim(t fataler) *streamsSim {
	s := &streamsSim{consumerScript: newConsumerScript(t)}
	s.cfg.Streams = StreamsConfig{MaxSize: 1000}
	s.settings = StreamsSettings{SessionTimeout: 45 * time.Second, HeartbeatInterval: 5 * time.Second}
	s.app = streamsApp()
	return s
}

// streamsApp counts words: its second part has state, and reads what its first
// part writes.
func streamsApp() *kmsg.StreamsGroupHeartbeatRequestTopology {
	return &kmsg.StreamsGroupHeartbeatRequestTopology{Subtopologies: []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{
		{SubtopologyID: "0", SourceTopics: []string{"t1"}, RepartitionSinkTopics: []string{"r"}},
		{SubtopologyID: "1", RepartitionSourceTopics: []kmsg.TopicInfo{{Topic: "r"}}, StateChangelogTopics: []kmsg.TopicInfo{{Topic: "c"}}},
	}}
}

// thread is one member, and what it remembers.
type thread struct {
	id, process string
	epoch       int32
	in          bool
	told, holds roles
}

func (s *streamsSim) first(th *thread) *kmsg.StreamsGroupHeartbeatRequest {
	r := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	r.Group, r.MemberID, r.ProcessID, r.RebalanceTimeoutMillis, r.Topology = "g", th.id, &th.process, 30_000, s.app
	r.ActiveTasks, r.StandbyTasks, r.WarmupTasks = []kmsg.TaskIDs{}, []kmsg.TaskIDs{}, []kmsg.TaskIDs{}
	return r
}

// later is a heartbeat of a member of the group; says is whether it says what
// it has.
func (s *streamsSim) later(th *thread, says bool) *kmsg.StreamsGroupHeartbeatRequest {
	r := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	r.Group, r.MemberID, r.MemberEpoch = "g", th.id, th.epoch
	if says {
		r.ActiveTasks, r.StandbyTasks, r.WarmupTasks = writeTasks(th.holds.active), writeTasks(th.holds.standby), []kmsg.TaskIDs{}
	}
	return r
}

// send hands in a heartbeat. Topics that the group needs are made at once.
func (s *streamsSim) send(r *kmsg.StreamsGroupHeartbeatRequest) *kmsg.StreamsGroupHeartbeatResponse {
	var made *MadeTopics
	for {
		resp, missing, eff := s.g.StreamsHeartbeat(s.now, Client{"client", "/127.0.0.1"}, r, s.cluster(), s.settings, made)
		s.settle(eff)
		if resp != nil {
			return resp
		}
		for _, t := range missing {
			s.made++
			s.topics = append(s.topics, Topic{Name: t.Name, ID: [16]byte{14: 1, 15: byte(s.made)}, Partitions: t.Partitions})
		}
		s.version++
		made = &MadeTopics{}
	}
}

// settle notes a deadline, and forgets the group when it is gone.
func (s *streamsSim) settle(eff Effects) {
	switch {
	case eff.Empty:
		s.g, s.due = NewGroup("g", s.cfg), time.Time{}
	default:
		s.due = eff.Deadline
	}
}

func (s *streamsSim) advance(d time.Duration) {
	end := s.now.Add(d)
	for !s.due.IsZero() && !s.due.After(end) {
		s.now = s.due
		s.settle(s.g.Expire(s.now))
	}
	s.now = end
}

// do has a thread send a heartbeat and take what it is told.
func (s *streamsSim) do(th *thread, r *kmsg.StreamsGroupHeartbeatRequest) *kmsg.StreamsGroupHeartbeatResponse {
	resp := s.send(r)
	s.log = append(s.log, fmt.Sprintf("%s at %d has %v -> [%d] epoch %d, %v %v", th.id, r.MemberEpoch, r.ActiveTasks, resp.ErrorCode, resp.MemberEpoch, resp.ActiveTasks, resp.StandbyTasks))
	switch {
	case resp.ErrorCode != 0 || resp.MemberEpoch < 0:
		th.in, th.epoch, th.told, th.holds = false, 0, roles{}, roles{}
	default:
		th.in, th.epoch = true, resp.MemberEpoch
		if resp.ActiveTasks != nil {
			th.told = roles{readTasks(resp.ActiveTasks), readTasks(resp.StandbyTasks), readTasks(resp.WarmupTasks)}
		}
	}
	return resp
}

// checkStreams holds a group against what must be true between any two calls.
func checkStreams(g *Streams) error {
	unsettled, held := 0, 0
	targets := map[string]string{}
	for i, m := range g.order {
		if g.members[m.id] != m || slices.Index(g.order, m) != i {
			return fmt.Errorf("%s is not once among the members", m.id)
		}
		if m.epoch > g.epoch || m.epoch > g.assignmentEpoch {
			return fmt.Errorf("%s is at epoch %d, the group at %d, its assignment at %d", m.id, m.epoch, g.epoch, g.assignmentEpoch)
		}
		if m.settled != (m.phase == stable && m.epoch == g.assignmentEpoch) {
			return fmt.Errorf("%s: settled is %v in phase %v at epoch %d of %d", m.id, m.settled, m.phase, m.epoch, g.assignmentEpoch)
		}
		if !m.settled {
			unsettled++
		} else if g.epoch == g.assignmentEpoch && m.hasTarget && !sameTasks(m.assigned, m.target) {
			return fmt.Errorf("%s reached epoch %d with %v, its target is %v", m.id, m.epoch, m.assigned, m.target)
		}
		if !m.revoking.none() && m.phase != unrevoked {
			return fmt.Errorf("%s gives up tasks in phase %q", m.id, m.where())
		}
		var err error
		for _, r := range []roles{m.assigned, m.revoking} {
			r.active.each(func(sub string, p, since int32) {
				held++
				if g.holdersOf(sub, p).active != m {
					err = fmt.Errorf("%s has %s_%d, which is another's", m.id, sub, p)
				}
				if since > g.epoch || since < 2 {
					err = fmt.Errorf("%s has %s_%d since epoch %d", m.id, sub, p, since)
				}
			})
			for _, copies := range []tasks{r.standby, r.warmup} {
				copies.each(func(sub string, p, _ int32) {
					held++
					if !slices.Contains(g.holdersOf(sub, p).copies, m) {
						err = fmt.Errorf("%s has a copy of %s_%d unnoticed", m.id, sub, p)
					}
				})
			}
		}
		m.target.active.each(func(sub string, p, _ int32) {
			key := fmt.Sprint(sub, "_", p)
			if other, twice := targets[key]; twice {
				err = fmt.Errorf("%s is for %s and %s", key, other, m.id)
			}
			targets[key] = m.id
		})
		if err != nil {
			return err
		}
	}
	for sub, hs := range g.holders {
		for p, h := range hs {
			if h.active != nil {
				held--
			}
			held -= len(h.copies)
			for _, m := range h.copies {
				if h.active != nil && h.active.process == m.process {
					return fmt.Errorf("process %s has %s_%d and a copy of it", m.process, sub, p)
				}
			}
		}
	}
	if held != 0 || len(g.members) != len(g.order) || unsettled != g.unsettled {
		return fmt.Errorf("counted wrong: %d tasks more with members than in the table, %d members of %d, %d unsettled of %d", held, len(g.members), len(g.order), g.unsettled, unsettled)
	}
	if g.epoch < g.assignmentEpoch {
		return fmt.Errorf("epoch %d, assignment of %d", g.epoch, g.assignmentEpoch)
	}
	return nil
}

// sameTasks compares without the epochs.
func sameTasks(a, b roles) bool {
	same := func(a, b tasks) bool {
		return slices.EqualFunc(a, b, func(a, b subtopologyTasks) bool {
			return a.subtopology == b.subtopology && slices.Equal(a.partitions, b.partitions)
		})
	}
	return same(a.active, b.active) && same(a.standby, b.standby) && same(a.warmup, b.warmup)
}

// Threads of three processes do anything at all in any order. No task is ever
// run by two of them, epochs never go back, and when they do what they are told,
// each gets to its target and every task is run.
func TestRandomStreams(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStreamsSim(rt)
		draw := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, what) }
		threads := []*thread{{id: "a1", process: "a"}, {id: "a2", process: "a"}, {id: "b1", process: "b"}, {id: "c1", process: "c"}}
		s.setTopics([]string{"t1:4"})
		epoch := int32(0)
		fail := func(format string, args ...any) {
			rt.Helper()
			rt.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(s.log, "\n"))
		}
		check := func() {
			rt.Helper()
			g, ok := s.g.is().(*Streams)
			if !ok {
				epoch = 0
				return
			}
			if err := checkStreams(g); err != nil {
				fail("%v", err)
			}
			if g.epoch < epoch {
				fail("the epoch went back from %d to %d", epoch, g.epoch)
			}
			epoch = g.epoch
			runs := map[string]string{}
			for _, th := range threads {
				if !th.in || g.members[th.id] == nil {
					continue // it is fenced at its next heartbeat
				}
				th.holds.active.each(func(sub string, p, _ int32) {
					key := fmt.Sprint(sub, "_", p)
					if other, twice := runs[key]; twice {
						fail("%s and %s both run %s", other, th.id, key)
					}
					runs[key] = th.id
				})
			}
		}
		// step is what a well-behaved thread does next: it lets go of what it
		// must, says so, and takes what it is given.
		step := func(th *thread) {
			th.holds = th.told
			if th.in {
				s.do(th, s.later(th, true))
				if subset(th.holds.active, th.told.active) { // nothing to let go of first
					th.holds = th.told
				}
			}
			check()
		}
		for range rapid.IntRange(1, 50).Draw(rt, "steps") {
			th := threads[rapid.IntRange(0, len(threads)-1).Draw(rt, "thread")]
			switch draw("command", "join", "join", "step", "step", "step", "beat", "leave", "topics", "advance", "standbys", "interval", "nonsense") {
			case "join":
				if !th.in {
					s.do(th, s.first(th))
					th.holds = th.told
				}
			case "step":
				step(th)
			case "beat":
				if th.in {
					s.do(th, s.later(th, false))
				}
			case "leave":
				if th.in {
					th.epoch = leaveEpoch
					s.do(th, s.later(th, false))
				}
			case "topics":
				specs := strings.Fields(draw("topics", "t1:4", "t1:4 r:4 c:4", "t1:4 r:3", "t2:1", "t1:5"))
				s.setTopics(specs)
			case "advance":
				s.advance(map[string]time.Duration{"1s": time.Second, "31s": 31 * time.Second, "46s": 46 * time.Second}[draw("time", "1s", "31s", "46s")])
			case "standbys":
				s.settings.Standbys = rapid.IntRange(0, 2).Draw(rt, "standbys")
			case "interval":
				s.settings.AssignmentInterval = time.Duration(rapid.IntRange(0, 2).Draw(rt, "interval")) * time.Second
			case "nonsense":
				nobody := &thread{id: draw("who", "nobody", "a1"), epoch: int32(rapid.IntRange(-3, 9).Draw(rt, "epoch"))}
				if nobody.epoch == leaveEpoch || nobody.epoch == 0 {
					break
				}
				if member := threads[0]; nobody.id != "a1" || nobody.epoch != member.epoch {
					if resp := s.send(s.later(nobody, rapid.Bool().Draw(rt, "says"))); resp.ErrorCode == 0 && nobody.epoch > member.epoch {
						fail("a heartbeat at epoch %d of %s is taken", nobody.epoch, nobody.id)
					}
				}
			}
			check()
		}
		// From here on all do what they are told.
		s.settings.AssignmentInterval = 0
		s.setTopics([]string{"t1:4"})
		for range 40 {
			for _, th := range threads {
				step(th)
			}
			s.advance(5 * time.Second)
			check()
		}
		g, ok := s.g.is().(*Streams)
		if !ok || len(g.order) == 0 {
			return
		}
		if g.state != Stable {
			fail("the group does not come to rest: %s", g.state)
		}
		for _, sub := range []string{"0", "1"} {
			for p := range int32(4) {
				if g.holdersOf(sub, p).active == nil {
					fail("nobody runs %s_%d", sub, p)
				}
			}
		}
	})
}

func flat(ts tasks) (all []string) {
	ts.each(func(sub string, p, _ int32) { all = append(all, fmt.Sprint(sub, "_", p)) })
	return all
}

func subset(small, large tasks) bool {
	return !small.any(func(sub string, p int32) bool { return !large.has(sub, p) })
}

// Whatever the members had, each task is run once and copies are in other
// processes. Without copies, who assigns again changes nothing.
func TestTasksAreAssigned(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var sources []taskSource
		for i := range rapid.IntRange(1, 3).Draw(rt, "subtopologies") {
			sources = append(sources, taskSource{fmt.Sprint(i), rapid.Int32Range(1, 7).Draw(rt, "tasks"), rapid.Bool().Draw(rt, "stateful")})
		}
		var members []*taskAssignee
		processes := map[string]bool{}
		for i := range rapid.IntRange(1, 7).Draw(rt, "members") {
			m := &taskAssignee{id: fmt.Sprint("m", i), process: rapid.SampledFrom([]string{"p", "q", "r"}).Draw(rt, "process")}
			processes[m.process] = true
			members = append(members, m)
		}
		standbys := rapid.IntRange(0, 2).Draw(rt, "standbys")
		check := func() {
			rt.Helper()
			active, copies := map[string]string{}, map[string]map[string]bool{}
			for _, m := range members {
				for _, key := range flat(m.target.active) {
					if active[key] != "" {
						rt.Fatalf("%s is run twice", key)
					}
					active[key] = m.process
				}
				for _, key := range flat(m.target.standby) {
					if copies[key] == nil {
						copies[key] = map[string]bool{}
					}
					if copies[key][m.process] {
						rt.Fatalf("process %s has two copies of %s", m.process, key)
					}
					copies[key][m.process] = true
				}
			}
			for _, s := range sources {
				for p := range s.tasks {
					key := fmt.Sprint(s.id, "_", p)
					if active[key] == "" {
						rt.Fatalf("nobody runs %s", key)
					}
					if copies[key][active[key]] {
						rt.Fatalf("process %s runs %s and has a copy", active[key], key)
					}
					want := 0
					if s.stateful {
						want = min(standbys, len(processes)-1)
					}
					if len(copies[key]) != want {
						rt.Fatalf("%s has %d copies, want %d", key, len(copies[key]), want)
					}
				}
			}
		}
		again := func() {
			for _, m := range members {
				m.held = m.target
			}
			assignTasks(sources, members, standbys)
		}
		assignTasks(sources, members, standbys)
		check()
		again()
		check()
		for _, m := range members {
			if standbys == 0 && !sameTasks(m.held, m.target) {
				rt.Fatalf("%s had %v and gets %v though nothing changed", m.id, m.held, m.target)
			}
		}
		members = append(members, &taskAssignee{id: "new", process: "s"})
		processes["s"] = true
		again()
		check()
		members = slices.Delete(members, 0, 1)
		clear(processes)
		for _, m := range members {
			processes[m.process] = true
		}
		again()
		check()
	})
}
