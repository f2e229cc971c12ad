package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// states is a share coordinator that takes everything.
type states map[string]int64

func (s states) Initialize(topic [16]byte, partition, _ int32, start int64) *kerr.Error {
	s[fmt.Sprint(topic, partition)] = start
	return nil
}

func (s states) Delete(topic [16]byte, partition int32) { delete(s, fmt.Sprint(topic, partition)) }

// shareWorld is a share group at a virtual time, in the cluster of a script.
type shareWorld struct {
	*consumerScript
	states states
	epochs map[string]int32
	group  int32
}

func newShareWorld(t *testing.T) *shareWorld {
	w := &shareWorld{consumerScript: newConsumerScript(t), states: states{}, epochs: map[string]int32{}}
	w.cfg.Share.MaxSize = 6
	return w
}

func (w *shareWorld) beat(id string, epoch int32, topics ...string) *kmsg.ShareGroupHeartbeatResponse {
	req := kmsg.NewPtrShareGroupHeartbeatRequest()
	req.Version, req.GroupID, req.MemberID, req.MemberEpoch, req.SubscribedTopicNames = 1, "g", id, epoch, topics
	resp, _ := w.g.ShareHeartbeat(w.now, Client{ID: "c", Host: "/h"}, req, w.cluster(), w.timing, w.states)
	return resp
}

func TestShareGroupsAreFullAtSomePoint(t *testing.T) {
	w := newShareWorld(t)
	w.setTopics([]string{"t:2"})
	for i := range 7 {
		resp := w.beat(fmt.Sprint(i), 0, "t")
		if full := resp.ErrorCode == kerr.GroupMaxSizeReached.Code; full != (i == 6) {
			t.Errorf("member %d is answered [%d]", i, resp.ErrorCode)
		}
	}
	if resp := w.beat("0", 0, "t"); resp.ErrorCode != 0 {
		t.Errorf("a member that joins again is answered [%d]", resp.ErrorCode)
	}
}

func TestAShareMemberIsFencedWhenItsSessionEnds(t *testing.T) {
	w := newShareWorld(t)
	w.setTopics([]string{"t:2"})
	a := w.beat("a", 0, "t")
	w.now = w.now.Add(45 * time.Second)
	eff := w.g.Expire(w.now)
	if w.g.State() != Empty || len(eff.Events) == 0 || eff.Events[0].Why != "member's session timed out" {
		t.Errorf("the group is %s, events %+v", w.g.State(), eff.Events)
	}
	if resp := w.beat("a", a.MemberEpoch); resp.ErrorCode != kerr.UnknownMemberID.Code {
		t.Errorf("it is answered [%d]", resp.ErrorCode)
	}
}

func TestAGroupOfAnotherKindIsNoShareGroup(t *testing.T) {
	w := newShareWorld(t)
	w.setTopics([]string{"t:2"})
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.RebalanceTimeoutMillis = 1, "g", "m", 1000
	req.SubscribedTopicNames, req.Topics = []string{"t"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	w.g.ConsumerHeartbeat(w.now, Client{}, req, w.cluster(), w.timing)
	resp := w.beat("a", 0, "t")
	if resp.ErrorCode != kerr.GroupIDNotFound.Code || *resp.ErrorMessage != "Group g is not a share group." {
		t.Errorf("answered %+v", resp)
	}
}

// Members come, go, fall silent and change what they subscribe to, and topics
// change. Epochs never go back, and once all have heard of it, every partition
// that somebody subscribes to has a member, and none has one that does not
// subscribe to it.
func TestRandomShareGroupsGiveEachPartitionToSomebody(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := newShareWorld(t)
		subscribed := map[string][]string{}
		subscription := func() []string {
			return [][]string{{"t"}, {"u"}, {"t", "u"}, {"t", "u", "v"}}[r.IntN(4)]
		}
		for range 60 {
			id := string(rune('a' + r.IntN(8)))
			switch n := r.IntN(10); {
			case n < 2:
				w.setTopics([]string{fmt.Sprintf("t:%d", 1+r.IntN(5)), fmt.Sprintf("u:%d", 1+r.IntN(3))})
			case n < 6:
				topics := subscription()
				if resp := w.beat(id, 0, topics...); resp.ErrorCode == 0 {
					subscribed[id] = topics
				}
			case n < 7:
				if w.beat(id, -1).ErrorCode == 0 {
					delete(subscribed, id)
				}
			case n < 8:
				w.now = w.now.Add(50 * time.Second)
				w.g.Expire(w.now)
				clear(subscribed)
			}
			assigned := map[string]bool{}
			for _, round := range []bool{false, true} {
				for id, topics := range subscribed {
					resp := w.beat(id, 0, topics...)
					if resp.ErrorCode != 0 || resp.MemberEpoch < w.epochs[id] {
						t.Fatalf("seed %d: %s is answered %+v after epoch %d", seed, id, resp, w.epochs[id])
					}
					w.epochs[id] = resp.MemberEpoch
					for _, tp := range resp.Assignment.TopicPartitions {
						name := w.cluster().Lookup("", tp.TopicID).Name
						if !slices.Contains(topics, name) {
							t.Fatalf("seed %d: %s has %s, and subscribes to %v", seed, id, name, topics)
						}
						for _, p := range tp.Partitions {
							if round {
								assigned[fmt.Sprintf("%s-%d", name, p)] = true
							}
						}
					}
				}
			}
			if e := w.g.Epoch(); e < w.group && len(subscribed) > 0 {
				t.Fatalf("seed %d: the group's epoch went back from %d to %d", seed, w.group, e)
			}
			w.group = w.g.Epoch()
			for _, topic := range w.topics {
				wanted := false
				for _, topics := range subscribed {
					wanted = wanted || slices.Contains(topics, topic.Name)
				}
				for p := range topic.Partitions {
					if name := fmt.Sprintf("%s-%d", topic.Name, p); wanted != assigned[name] {
						t.Fatalf("seed %d: %s is assigned: %v, wanted: %v", seed, name, assigned[name], wanted)
					}
				}
			}
		}
	}
}
