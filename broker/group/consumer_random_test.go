package group

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// checkConsumer holds a group against what must be true between any two calls.
func checkConsumer(g *Consumer) error {
	unsettled, classics, static, owned := 0, 0, 0, 0
	patterns := map[string]int{}
	targets := map[string]string{}
	for i, m := range g.order {
		if g.members[m.id] != m || slices.Index(g.order, m) != i {
			return fmt.Errorf("%s is not once among the members", m.id)
		}
		if m.epoch > g.epoch || m.epoch > g.assignmentEpoch && m.epoch != 0 {
			return fmt.Errorf("%s is at epoch %d, the group at %d, its assignment at %d", m.id, m.epoch, g.epoch, g.assignmentEpoch)
		}
		if m.settled != (m.phase == stable && m.epoch == g.assignmentEpoch) {
			return fmt.Errorf("%s: settled is %v in phase %v at epoch %d of %d", m.id, m.settled, m.phase, m.epoch, g.assignmentEpoch)
		}
		if m.settled {
			var want partitions
			want, _ = m.target.split(func(id [16]byte, _ int32) bool { return g.subscribesID(m, id) })
			if g.epoch == g.assignmentEpoch && !m.assigned.equal(want) {
				return fmt.Errorf("%s reached epoch %d with %v, its target is %v", m.id, m.epoch, m.assigned, want)
			}
		} else {
			unsettled++
		}
		if len(m.revoking) > 0 && m.phase != unrevoked {
			return fmt.Errorf("%s gives up partitions in phase %q", m.id, m.phase)
		}
		if m.classic != nil {
			classics++
		}
		if m.instance != nil && g.static[*m.instance] == m {
			static++
		}
		if m.regex != "" {
			patterns[m.regex]++
		}
		var err error
		hold := func(id [16]byte, p int32) {
			owned++
			if g.ownerOf(id, p).m != m {
				err = fmt.Errorf("%s has %d/%d, which is another's", m.id, id[15], p)
			}
			if m.assigned.has(id, p) && m.revoking.has(id, p) {
				err = fmt.Errorf("%s has %d/%d and gives it up", m.id, id[15], p)
			}
		}
		m.assigned.each(hold)
		m.revoking.each(hold)
		m.target.each(func(id [16]byte, p int32) {
			key := fmt.Sprint(id[14:], "/", p)
			if other, twice := targets[key]; twice {
				err = fmt.Errorf("%s is for %s and %s", key, other, m.id)
			}
			targets[key] = m.id
		})
		if err != nil {
			return err
		}
	}
	for _, os := range g.owners {
		for _, o := range os {
			if o.m == nil {
				continue
			}
			owned--
			if g.members[o.m.id] != o.m || o.since > o.m.epoch && o.m.epoch > 0 {
				return fmt.Errorf("a partition is %s's since epoch %d", o.m.id, o.since)
			}
		}
	}
	if owned != 0 {
		return fmt.Errorf("%d more partitions with members than with owners", owned)
	}
	if len(g.members) != len(g.order) || unsettled != g.unsettled || classics != g.classics || static != len(g.static) || len(patterns) != len(g.regexes) {
		return fmt.Errorf("counted wrong: %d members of %d, %d unsettled, %d classic, %d static, patterns %v", len(g.members), len(g.order), g.unsettled, g.classics, len(g.static), patterns)
	}
	for p, n := range patterns {
		if g.regexes[p].members != n {
			return fmt.Errorf("pattern %s has %d members, counted %d", p, n, g.regexes[p].members)
		}
	}
	if g.epoch < g.assignmentEpoch {
		return fmt.Errorf("epoch %d, assignment of %d", g.epoch, g.assignmentEpoch)
	}
	return nil
}

// reader is a client that goes on with partitions until it acknowledges that
// they are taken away.
type reader struct {
	*clientMember
	classic bool
	in      bool
	holds   partitions
}

// Clients of both protocols do anything at all in any order. No partition is
// ever with two of them, epochs never go back, and when they do what they are
// told, each gets to its target and everything is assigned.
func TestRandomConsumers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newConsumerScript(rt)
		draw := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(rt, what) }
		readers := map[string]*reader{}
		names := []string{"a", "b", "c", "d"}
		for _, n := range names {
			readers[n] = &reader{clientMember: s.member(n)}
		}
		s.do([]string{"topics", "t1:4", "t2:3"})
		epoch := int32(0)
		// take is what a client does with the answer to its last request.
		take := func(r *reader, from int) {
			last := s.lines[len(s.lines)-1]
			switch {
			case strings.Contains(last, "[25]"), strings.Contains(last, "[110]"), strings.Contains(last, "[82]"), strings.Contains(last, "[69]"), strings.Contains(last, "[22]"):
				r.in, r.holds, r.told = false, nil, nil
			case r.epoch < 0: // it left
				r.in, r.holds, r.told = false, nil, nil
			default:
				r.holds = r.holds.plus(r.told)
			}
		}
		check := func() {
			c, ok := s.g.is().(*Consumer)
			if !ok {
				epoch = 0
				for _, r := range readers { // another protocol's business
					r.in, r.holds, r.told = false, nil, nil
				}
				return
			}
			if err := checkConsumer(c); err != nil {
				rt.Fatalf("%v\n%s", err, strings.Join(s.lines, "\n"))
			}
			if c.epoch < epoch {
				rt.Fatalf("the epoch went back from %d to %d\n%s", epoch, c.epoch, strings.Join(s.lines, "\n"))
			}
			epoch = c.epoch
			with := map[string]string{}
			for _, n := range names {
				r := readers[n]
				if m := c.members[r.id]; !r.in || m == nil || m.epoch == leaveStaticEpoch {
					continue
				}
				r.holds.each(func(id [16]byte, p int32) {
					key := s.named(partitions{{id, []int32{p}}})
					if other, twice := with[key]; twice {
						rt.Fatalf("%s and %s both have %s\n%s", other, n, key, strings.Join(s.lines, "\n"))
					}
					with[key] = n
				})
			}
		}
		do := func(words ...string) {
			s.do(words)
			check()
		}
		// step is what a well-behaved client does next.
		step := func(r *reader) {
			n := len(s.lines)
			switch {
			case r.classic:
				s.do([]string{"classic-hb", r.name})
				if last := s.lines[len(s.lines)-1]; last == "[27]" {
					r.holds = r.told // it gives up what it lost, then joins
					s.do([]string{"classic-join", r.name, "topics=t1,t2"})
					s.do([]string{"classic-sync", r.name})
				}
			default:
				r.holds = r.told
				s.do([]string{"ack", r.name})
			}
			if len(s.lines) > n {
				take(r, n)
			}
			check()
		}
		for range rapid.IntRange(1, 50).Draw(rt, "steps") {
			r := readers[draw("client", names...)]
			switch draw("command", "join", "join", "step", "step", "step", "hb", "leave", "topics", "advance", "static", "classic", "nonsense", "interval", "subscribe") {
			case "join":
				if r.in {
					break
				}
				words := []string{"join", r.name, "topics=" + draw("topics", "t1,t2", "t1,t2", "t1", "t3")}
				switch draw("as", "dynamic", "dynamic", "static", "regex") {
				case "static":
					words = append(words, "instance=i"+r.name)
				case "regex":
					words = append(words, "regex=t[12]")
				}
				if draw("assignor", "", "range") == "range" {
					words = append(words, "assignor=range")
				}
				r.epoch, r.told, r.holds, r.classic = 0, nil, nil, false
				r.instance = nil
				s.do(words)
				r.in = !strings.Contains(s.lines[len(s.lines)-1], " [")
				r.in = r.epoch > 0
				take(r, 0)
				check()
			case "classic":
				if r.in || s.g.State() == Dead || s.g.State() == Empty {
					break
				}
				r.told, r.holds, r.instance = nil, nil, nil
				s.do([]string{"classic-join", r.name, "v=3", "topics=t1,t2", "session=60s"})
				if _, ok := s.g.is().(*Consumer); ok && !strings.Contains(s.lines[len(s.lines)-1], "join [") {
					r.in, r.classic = true, true
					s.do([]string{"classic-sync", r.name})
					take(r, 0)
				}
				check()
			case "step":
				if r.in {
					step(r)
				}
			case "hb":
				if r.in && !r.classic {
					s.do([]string{"hb", r.name})
					take(r, 0)
					check()
				}
			case "subscribe":
				if r.in && !r.classic {
					s.do([]string{"hb", r.name, "topics=" + draw("topics", "t1", "t2", "t1,t2")})
					take(r, 0)
					check()
				}
			case "leave":
				if r.in && r.classic {
					do("classic-leave", r.name)
					r.in, r.holds, r.told = false, nil, nil
				} else if r.in {
					do("leave", r.name)
					r.in, r.holds, r.told = false, nil, nil
				}
			case "static": // goes for a while and comes back, sometimes as another
				if r.in && !r.classic && r.instance != nil {
					instance := *r.instance
					do("leave", r.name, "epoch=-2")
					r.in, r.holds, r.told, r.epoch = false, nil, nil, 0
					if draw("back", "yes", "no") == "yes" {
						r.id = r.name + draw("id", "", "2")
						s.do([]string{"join", r.name, "topics=t1,t2", "instance=" + instance})
						r.in = r.epoch > 0
						take(r, 0)
						check()
					}
				}
			case "topics":
				do(append([]string{"topics"}, strings.Fields(draw("cluster", "t1:4 t2:3", "t1:5 t2:3", "t1:4", "t1:4:new t2:3", "t1:1 t2:1 t3:2"))...)...)
			case "advance":
				s.do([]string{"advance", draw("time", "1s", "10s", "31s", "46s", "11m")})
				check()
			case "interval":
				do("config", "interval="+draw("interval", "0s", "1s", "5s"))
			case "nonsense":
				do(draw("what", "hb", "ack", "leave", "classic-hb", "classic-sync", "classic-leave", "commit", "fetch"), "nobody", "epoch=2", "t1/0=1")
			}
		}
		// From here on all do what they are told. Those that the group still
		// has and that are gone run out of time.
		s.do([]string{"config", "interval=0s"})
		s.do([]string{"topics", "t1:4", "t2:3"})
		for range 40 {
			for _, n := range names {
				if readers[n].in {
					step(readers[n])
				}
			}
			s.do([]string{"advance", "5s"})
			check()
		}
		c, ok := s.g.is().(*Consumer)
		if !ok || len(c.order) == 0 {
			return
		}
		if c.state != Stable {
			rt.Fatalf("the group does not come to rest: %s\n%s", c.state, strings.Join(s.lines, "\n"))
		}
		for _, m := range c.order {
			if !m.assigned.equal(m.target) {
				rt.Fatalf("%s has %s, not its target %s\n%s", m.id, s.named(m.assigned), s.named(m.target), strings.Join(s.lines, "\n"))
			}
		}
		for _, topic := range c.topics {
			for p := range topic.Partitions {
				if c.ownerOf(topic.ID, p).m == nil {
					rt.Fatalf("nobody has %s/%d\n%s", topic.Name, p, strings.Join(s.lines, "\n"))
				}
			}
		}
	})
}

func (ps partitions) count() int {
	n := 0
	for i := range ps {
		n += len(ps[i].partitions)
	}
	return n
}

// Whatever the members subscribe to and hold, an assignor gives each partition
// to one of its subscribers, and uniform is level and sticky.
func TestAssignors(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var topics []Topic
		for i := range rapid.IntRange(1, 4).Draw(rt, "topics") {
			topics = append(topics, Topic{Name: fmt.Sprint("t", i), ID: [16]byte{15: byte(i + 1)}, Partitions: rapid.Int32Range(1, 9).Draw(rt, "partitions")})
		}
		alike := rapid.Bool().Draw(rt, "alike")
		members := make([]assignee, rapid.IntRange(1, 7).Draw(rt, "members"))
		subscribers := make([]int, len(topics))
		for i := range members {
			members[i].id = fmt.Sprint("m", i)
			for k := range topics {
				if alike || rapid.Bool().Draw(rt, "subscribes") {
					members[i].topics = append(members[i].topics, k)
					subscribers[k]++
				}
			}
		}
		name := rapid.SampledFrom([]string{"uniform", "range"}).Draw(rt, "assignor")
		assign := func() {
			assignors[name](topics, members)
			got := map[string]int{}
			for i := range members {
				members[i].target.each(func(id [16]byte, p int32) {
					got[fmt.Sprint(id[14:], "/", p)]++
					if !slices.Contains(members[i].topics, int(id[15])-1) {
						rt.Fatalf("%s gets topic %d and subscribes to %v", members[i].id, id[15], members[i].topics)
					}
				})
			}
			for k, topic := range topics {
				for p := range topic.Partitions {
					want := min(subscribers[k], 1)
					if n := got[fmt.Sprint(topic.ID[14:], "/", p)]; n != want {
						rt.Fatalf("%s/%d is assigned %d times, not %d", topic.Name, p, n, want)
					}
				}
			}
			if !alike || name == "range" {
				return
			}
			few, many := 1<<30, 0
			for i := range members {
				few, many = min(few, members[i].target.count()), max(many, members[i].target.count())
			}
			if many-few > 1 {
				rt.Fatalf("one member has %d partitions, another %d", few, many)
			}
		}
		assign()
		moved := 0
		for i := range members {
			members[i].held = members[i].target
		}
		assign()
		for i := range members {
			if !members[i].held.equal(members[i].target) {
				moved++
			}
		}
		if alike && moved > 0 {
			rt.Fatalf("%d members have other partitions though nothing changed", moved)
		}
	})
}
