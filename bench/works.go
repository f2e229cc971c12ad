package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// measure is one figure that a work gives. Lower is better, always.
type measure struct {
	name, unit string
	base       string  // the server to which ratios are; "": the figure itself counts
	goal       float64 // what minibroker is to reach, as a ratio if there is a base
	margin     float64 // CI holds the ratios that were recorded, times this; 0: it does not
}

// work is one row, or some, of the table: the same task for each server.
type work struct {
	name     string
	measures []measure
	quick    bool // part of the quick mode
	most     int  // rounds that are enough, for what takes long; 0: as many as asked for
	fresh    bool // needs a server of its own, started for it
	// run does the work once and gives the measures.
	run func(b *bench, s *server) ([]float64, error)
}

func (w *work) guarded() bool {
	return slices.ContainsFunc(w.measures, func(m measure) bool { return m.margin > 0 })
}

// rows has a row for each measure, without figures.
func (w *work) rows() []*row {
	rows := make([]*row, len(w.measures))
	for i, m := range w.measures {
		rows[i] = &row{Work: w.name, Measure: m.name, Unit: m.unit, Goal: m.goal, Base: m.base, Figures: make(map[string][]float64), margin: m.margin}
	}
	return rows
}

// bench is what the works share.
type bench struct {
	ctx     context.Context
	quick   bool
	servers []*server
	cycle   []string            // the command that measures brokers inside a program
	taken   map[question][]byte // answers for the limit to give, as a broker gave them
	round   int
}

// question is what the limit chooses its answers by.
type question struct {
	key      int16
	clientID string
}

func works(quick bool) []work {
	var all []work
	all = append(all, produceWorks()...)
	all = append(all, fetchWorks()...)
	all = append(all, smallWorks()...)
	all = append(all, latencyWorks()...)
	all = append(all, startWorks()...)
	all = append(all, cycleWorks()...)
	all = append(all, memoryWorks()...)
	return append(all, scaleWorks(quick)...)
}

// scaled is full, or less in the quick mode.
func (b *bench) scaled(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

// amount is scaled for works whose figures are for each unit of it. In the quick
// mode those that cost many times as much as minibroker get less: others than
// minibroker, of which there may be several versions (minibroker-old=COMMAND).
func (b *bench) amount(s *server, full, quick int) int {
	if b.quick && !s.isLimit() && !strings.HasPrefix(s.name, "minibroker") {
		quick /= 4
	}
	return b.scaled(full, quick)
}

func (s *server) isLimit() bool { return s.name == limitName }

// API keys and modes of frames for the limit; see its package.
const (
	keyTeach    = -2
	keyPing     = -3
	answerNow   = 0
	answerWakes = 1
	answerWaits = 2
)

// control is a frame for the limit.
func control(key int16, clientID string, rest []byte) []byte {
	b := []byte{0, 0, 0, 0, byte(key >> 8), byte(key), 0, 0, 0, 0, 0, 1}
	b = binary.BigEndian.AppendUint16(b, uint16(len(clientID)))
	b = append(append(b, clientID...), rest...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// first asks a broker once and keeps its answer; the limit is taught it. What
// waits is taught and not asked.
func (b *bench) first(s *server, c *client, frame []byte, mode byte) ([]byte, error) {
	q := question{int16(binary.BigEndian.Uint16(frame[4:])), string(frame[14 : 14+binary.BigEndian.Uint16(frame[12:])])}
	if !s.isLimit() {
		answer, err := c.exchange(frame)
		if err == nil {
			b.taken[q] = append([]byte(nil), answer[4:]...)
		}
		return answer, err
	}
	if err := b.teach(c, q, mode); err != nil {
		return nil, err
	}
	if mode == answerWaits {
		return append(make([]byte, 4), b.taken[q]...), nil
	}
	return c.exchange(frame)
}

func (b *bench) teach(c *client, q question, mode byte) error {
	answer, ok := b.taken[q]
	if !ok {
		return fmt.Errorf("the limit knows no answer to %s of %q: run a broker before it", kmsg.NameForKey(q.key), q.clientID)
	}
	_, err := c.exchange(control(keyTeach, q.clientID, append([]byte{byte(q.key >> 8), byte(q.key), mode}, answer...)))
	return err
}

// topicName is a name that no other round used.
func (b *bench) topicName(s *server) string { return fmt.Sprintf("bench-%s-%d", s.name, b.round) }

// withTopic runs f with a new topic, and deletes it.
func (b *bench) withTopic(s *server, partitions int, f func(c *client, topic string) error) error {
	b.round++
	// The limit is asked what a broker was asked: by client id, the name of the topic is the same length.
	c, err := connect(s)
	if err != nil {
		return err
	}
	defer c.close()
	topic := b.topicName(s)
	if s.isLimit() {
		return f(c, topic)
	}
	if err := createTopic(c, topic, partitions); err != nil {
		return err
	}
	defer deleteTopic(c, topic)
	return f(c, topic)
}

func createTopic(c *client, name string, partitions int) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 5, 60_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, int32(partitions), 1
	req.Topics = append(req.Topics, t)
	resp, err := ask[*kmsg.CreateTopicsResponse](c, "bench", req)
	if err != nil {
		return err
	}
	if code := resp.Topics[0].ErrorCode; code != 0 {
		return fmt.Errorf("creating topic %s: error %d", name, code)
	}
	return awaitLeader(c, name, partitions)
}

// awaitLeader waits until each partition has a leader, as Kafka needs a moment.
func awaitLeader(c *client, topic string, partitions int) error {
	for range 500 {
		req := kmsg.NewPtrMetadataRequest()
		req.Version = 8
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		req.Topics = append(req.Topics, t)
		resp, err := ask[*kmsg.MetadataResponse](c, "bench", req)
		if err != nil {
			return err
		}
		led := 0
		for _, p := range resp.Topics[0].Partitions {
			if p.ErrorCode == 0 && p.Leader >= 0 {
				led++
			}
		}
		if led == partitions {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("topic %s has no leaders", topic)
}

func deleteTopic(c *client, name string) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis, req.TopicNames = 3, 60_000, []string{name}
	_, _ = ask[*kmsg.DeleteTopicsResponse](c, "bench", req)
}

// cpuOf is the server's processor time in seconds while f runs.
func cpuOf(s *server, f func() error) (float64, error) {
	before, err := s.cpu()
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := s.cpu()
	return (after - before).Seconds(), err
}
