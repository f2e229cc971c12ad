package ui

// This file owns the page /lab: partitions as lanes, records as dots, and where
// each group is, as it happens.

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

const (
	// labLanes and labGroups are how many partitions and groups are shown.
	labLanes  = 48
	labGroups = 12
	// labDots is how many of the newest records of a partition are shown.
	labDots = 48
	// labEvery is how often the picture changes at most.
	labEvery = 100 * time.Millisecond
	// labGroupsEvery is how often groups are looked at.
	labGroupsEvery = 250 * time.Millisecond
	// labEvents is how many events one frame tells.
	labEvents = 100
)

type labView struct {
	Topic  string   `json:"topic"`  // empty: all that fit
	Topics []string `json:"topics"` // to choose from
	More   bool     `json:"-"`      // there are others
	Frame  labFrame `json:"frame"`
}

// Shown are the topics that have lanes.
func (v labView) Shown() []string {
	var names []string
	for _, l := range v.Frame.Lanes {
		if !slices.Contains(names, l.Topic) {
			names = append(names, l.Topic)
		}
	}
	return names
}

// labFrame is the picture. What did not change is told again: it is small.
type labFrame struct {
	Brokers []labBroker `json:"brokers"`
	Lanes   []labLane   `json:"lanes"`
	Hidden  int         `json:"hidden"` // partitions that do not fit
	Groups  []labGroup  `json:"groups"`
	Events  []step      `json:"events"` // oldest first
}

type labBroker struct {
	ID      int32 `json:"id"`
	Running bool  `json:"running"`
}

type labLane struct {
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Leader    int32    `json:"leader"`
	Replicas  []int32  `json:"replicas"`
	ISR       []int32  `json:"isr"`
	Start     int64    `json:"start"`
	End       int64    `json:"end"`
	Dots      []labDot `json:"dots"` // since the frame before, the newest only
}

type labDot struct {
	Offset int64  `json:"o"`
	Key    string `json:"k,omitempty"` // empty: it has none
}

type labGroup struct {
	ID      string      `json:"id"`
	State   string      `json:"state"`
	Members []labMember `json:"members"`
	Places  []labPlace  `json:"places"`
}

type labMember struct {
	ID     string `json:"id"`
	Client string `json:"client"`
	Host   string `json:"host"`
	Has    int    `json:"has"` // partitions, of all topics
}

// labPlace is where a group is in a partition.
type labPlace struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"` // -1: none
	Owner     string `json:"owner"`     // member id; empty: nobody
}

func (s *site) lab(r *http.Request) (any, error) {
	v := labView{Topic: r.Form.Get("topic")}
	var err error
	if v.Topics, v.More, err = s.someTopics(r.Context(), v.Topic); err != nil {
		return nil, err
	}
	if v.Frame, err = s.newLook(r).frame(r.Context()); err != nil {
		return nil, err
	}
	v.Frame.Events = s.past.steps.told(func(step) bool { return true }, stepsShown, languageOf(r))
	slices.Reverse(v.Frame.Events)
	return v, nil
}

// look is what one page has been shown.
type look struct {
	s     *site
	lang  *language
	topic string // empty: all
	seen  map[string][]int64
	ends  map[string][]int64

	groups   []labGroup
	groupsAt time.Time
	topics   []kmsg.MetadataResponseTopic
	brokers  []labBroker
	hidden   int
	topicsAt time.Time

	mu     sync.Mutex
	events []step
}

func (s *site) newLook(r *http.Request) *look {
	return &look{s: s, lang: languageOf(r), topic: r.Form.Get("topic"), seen: map[string][]int64{}}
}

// labFeed streams the picture as it changes.
func (s *site) labFeed(ctx context.Context, r *http.Request, st *stream) error {
	l := s.newLook(r)
	defer s.broker.ObserveGroups(l.happened)()
	next, stop := s.broker.Follow()
	defer stop()
	if err := st.open(); err != nil {
		return err
	}
	var before []byte
	for {
		changed := next()
		frame, err := l.frame(ctx)
		if err != nil {
			return err
		}
		now, err := json.Marshal(frame)
		if err != nil {
			return err
		}
		if !bytes.Equal(before, now) {
			if err := st.send("frame", now); err != nil {
				return err
			}
			before = now
		}
		if err := pause(ctx, labEvery); err != nil {
			return err
		}
		if soon := labGroupsEvery - s.now().Sub(l.groupsAt); soon > 0 {
			// What changed since may be a group: it is looked at soon, even
			// if nothing else happens.
			if err := waitFor(ctx, next(), soon); err != nil {
				return err
			}
			continue
		}
		if err := waitFor(ctx, changed, time.Second); err != nil {
			return err
		}
	}
}

// happened keeps an event for the next frame.
func (l *look) happened(e broker.GroupEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, stepOf(e).in(l.lang))
	l.events = l.events[max(0, len(l.events)-labEvents):]
}

// frame looks at the cluster.
func (l *look) frame(ctx context.Context) (labFrame, error) {
	now := l.s.now()
	if now.Sub(l.topicsAt) >= time.Second || l.moved() {
		if err := l.lookAtTopics(ctx); err != nil {
			return labFrame{}, err
		}
		l.topicsAt = now
	}
	if now.Sub(l.groupsAt) >= labGroupsEvery {
		l.lookAtGroups()
		l.groupsAt = now
	}
	f := labFrame{Brokers: l.brokers, Lanes: []labLane{}, Hidden: l.hidden, Groups: l.groups, Events: []step{}}
	dots, err := l.dots(ctx)
	if err != nil {
		return labFrame{}, err
	}
	for i := range l.topics {
		t := &l.topics[i]
		starts, ends := l.s.broker.Topic(*t.Topic).StartOffsets(), l.ends[*t.Topic]
		for _, p := range t.Partitions {
			if int(p.Partition) >= len(starts) || int(p.Partition) >= len(ends) {
				continue // it is being deleted
			}
			lane := labLane{Topic: *t.Topic, Partition: p.Partition, Leader: p.Leader, Replicas: p.Replicas, ISR: p.ISR,
				Start: starts[p.Partition], End: ends[p.Partition], Dots: dots[lanePlace{*t.Topic, p.Partition}]}
			if lane.Dots == nil {
				lane.Dots = []labDot{}
			}
			f.Lanes = append(f.Lanes, lane)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f.Events, l.events = append(f.Events, l.events...), nil
	return f, nil
}

// moved says whether topics came or went, or have other partitions.
func (l *look) moved() bool {
	for i := range l.topics {
		if len(l.s.broker.Topic(*l.topics[i].Topic).HighWatermarks()) != len(l.topics[i].Partitions) {
			return true
		}
	}
	return false
}

func (l *look) lookAtTopics(ctx context.Context) error {
	names := []string{l.topic}
	l.hidden = 0
	if l.topic == "" {
		names = nil
		lanes := 0
		l.s.broker.EachTopic(func(t broker.TopicSum) bool {
			if t.Internal {
				return true
			}
			if lanes += t.Partitions; lanes > labLanes {
				l.hidden += t.Partitions
			} else {
				names = append(names, t.Name)
			}
			return true
		})
	}
	l.topics, l.brokers = nil, []labBroker{}
	if len(names) == 0 {
		return nil
	}
	m, err := l.s.cluster.metadata(ctx, names...)
	if err != nil {
		return err
	}
	for _, n := range l.s.broker.Brokers() {
		l.brokers = append(l.brokers, labBroker{n.ID, n.Running})
	}
	for _, t := range m.Topics {
		if t.ErrorCode != 0 || t.Topic == nil {
			continue
		}
		slices.SortFunc(t.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return cmp.Compare(a.Partition, b.Partition) })
		if len(t.Partitions) > labLanes {
			l.hidden += len(t.Partitions) - labLanes
			t.Partitions = t.Partitions[:labLanes]
		}
		l.topics = append(l.topics, t)
	}
	slices.SortFunc(l.topics, func(a, b kmsg.MetadataResponseTopic) int { return cmp.Compare(*a.Topic, *b.Topic) })
	return nil
}

// lookAtGroups finds the groups that are in the topics shown.
func (l *look) lookAtGroups() {
	l.groups = []labGroup{}
	shown := map[string]bool{}
	for i := range l.topics {
		shown[*l.topics[i].Topic] = true
	}
	for _, id := range l.s.broker.Groups() {
		g := l.s.broker.Group(id)
		as := labGroup{ID: id, State: g.State(), Members: []labMember{}, Places: []labPlace{}}
		places := map[lanePlace]*labPlace{}
		at := func(topic string, p int32) *labPlace {
			if places[lanePlace{topic, p}] == nil {
				places[lanePlace{topic, p}] = &labPlace{Topic: topic, Partition: p, Committed: -1}
			}
			return places[lanePlace{topic, p}]
		}
		for topic, offsets := range g.Committed() {
			for p, offset := range offsets {
				if shown[topic] {
					at(topic, p).Committed = offset
				}
			}
		}
		for _, m := range g.Members() {
			has := 0
			for topic, ps := range m.Partitions {
				for _, p := range ps {
					has++
					if shown[topic] {
						at(topic, p).Owner = visible(m.ID)
					}
				}
			}
			as.Members = append(as.Members, labMember{visible(m.ID), visible(m.ClientID), strings.TrimPrefix(m.Host, "/"), has})
		}
		if settled := as.State == "Stable" || len(as.Members) == 0; len(places) == 0 && settled {
			continue
		}
		for _, p := range places {
			as.Places = append(as.Places, *p)
		}
		slices.SortFunc(as.Places, func(a, b labPlace) int {
			return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
		})
		if l.groups = append(l.groups, as); len(l.groups) == labGroups {
			return
		}
	}
}

type lanePlace struct {
	topic     string
	partition int32
}

// dots reads the records that came since the frame before, at most labDots of
// each partition, with one request for each broker.
func (l *look) dots(ctx context.Context) (map[lanePlace][]labDot, error) {
	l.ends = map[string][]int64{}
	type part struct {
		topic  int
		lo, hi int64
	}
	of := map[int32]map[lanePlace]part{} // by leader
	for i := range l.topics {
		t := &l.topics[i]
		ends := l.s.broker.Topic(*t.Topic).HighWatermarks()
		l.ends[*t.Topic] = ends
		seen := l.seen[*t.Topic]
		for len(seen) < len(ends) {
			seen = append(seen, 0)
		}
		for _, p := range t.Partitions {
			if int(p.Partition) >= len(ends) || p.Leader < 0 {
				continue
			}
			lo, hi := seen[p.Partition], ends[p.Partition]
			seen[p.Partition] = hi
			if lo = max(lo, hi-labDots); lo >= hi {
				continue
			}
			if of[p.Leader] == nil {
				of[p.Leader] = map[lanePlace]part{}
			}
			of[p.Leader][lanePlace{*t.Topic, p.Partition}] = part{i, lo, hi}
		}
		l.seen[*t.Topic] = seen
	}
	found := map[lanePlace][]labDot{}
	for leader, parts := range of {
		req := kmsg.NewPtrFetchRequest()
		req.ReplicaID, req.MaxBytes, req.SessionEpoch = -1, 4<<20, -1
		byTopic := map[int]int{}
		for at, p := range parts {
			i, ok := byTopic[p.topic]
			if !ok {
				rt := kmsg.NewFetchRequestTopic()
				rt.Topic, rt.TopicID = at.topic, l.topics[p.topic].TopicID
				i = len(req.Topics)
				req.Topics = append(req.Topics, rt)
				byTopic[p.topic] = i
			}
			rp := kmsg.NewFetchRequestTopicPartition()
			rp.Partition, rp.FetchOffset, rp.CurrentLeaderEpoch, rp.PartitionMaxBytes = at.partition, p.lo, -1, 64<<10
			req.Topics[i].Partitions = append(req.Topics[i].Partitions, rp)
		}
		answer, err := l.s.cluster.client.Broker(int(leader)).RetriableRequest(ctx, req)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			continue // a broker that is stopped: its records are shown when another leads
		}
		for i := range answer.(*kmsg.FetchResponse).Topics {
			rt := &answer.(*kmsg.FetchResponse).Topics[i]
			name := rt.Topic
			for j := range l.topics {
				if name == "" && l.topics[j].TopicID == rt.TopicID {
					name = *l.topics[j].Topic
				}
			}
			for j := range rt.Partitions {
				rp := &rt.Partitions[j]
				at := lanePlace{name, rp.Partition}
				fetched, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: parts[at].lo, Topic: name, Partition: rp.Partition}, rp, kgo.DefaultDecompressor(), nil)
				for _, record := range fetched.Records {
					if record.Offset < parts[at].hi {
						found[at] = append(found[at], dotOf(record))
					}
				}
			}
		}
	}
	return found, nil
}

// labKey is how much of a key is shown.
const labKey = 40

func dotOf(r *kgo.Record) labDot {
	d := labDot{Offset: r.Offset}
	if r.Key == nil {
		return d
	}
	d.Key = decode(r.Key, "auto", 64).Line
	if runes := []rune(d.Key); len(runes) > labKey {
		d.Key = string(runes[:labKey]) + "…"
	}
	d.Key = cmp.Or(d.Key, strconv.Quote(""))
	return d
}
