package broker

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

func (c *txnClient) addOffsets(version int16, group string, want int16) {
	c.t.Helper()
	req := kmsg.NewPtrAddOffsetsToTxnRequest()
	req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = version, c.id, c.me.ID, c.me.Epoch, group
	if got := ask[*kmsg.AddOffsetsToTxnResponse](c.rawClient, req).ErrorCode; got != want {
		c.t.Fatalf("AddOffsetsToTxn v%d: [%d], want [%d]", version, got, want)
	}
}

// commit sends TxnOffsetCommit for partition 0 of topic "t". change may be nil.
func (c *txnClient) commit(version int16, group string, offset int64, want int16, change func(*kmsg.TxnOffsetCommitRequest)) {
	c.t.Helper()
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = version, c.id, c.me.ID, c.me.Epoch, group
	rt := kmsg.NewTxnOffsetCommitRequestTopic()
	rt.Topic = "t"
	if version >= 6 {
		rt.Topic, rt.TopicID = "", topicIDOf(c.t, c.b, "t")
	}
	rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	rp.Offset = offset
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	if change != nil {
		change(req)
	}
	p := ask[*kmsg.TxnOffsetCommitResponse](c.rawClient, req).Topics[0].Partitions[0]
	if p.ErrorCode != want {
		c.t.Fatalf("TxnOffsetCommit v%d: [%d], want [%d]", version, p.ErrorCode, want)
	}
}

// wantOffset asks for the group's offset of partition 0 of "t", in each version
// that can say that it must be stable.
func (c *txnClient) wantOffset(group string, stable bool, offset int64, code int16) {
	c.t.Helper()
	for v := int16(7); v <= 10; v++ {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Version, req.Group, req.RequireStable = v, group, stable
		if v < 8 {
			req.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "t", Partitions: []int32{0}}}
			p := ask[*kmsg.OffsetFetchResponse](c.rawClient, req).Topics[0].Partitions[0]
			if p.Offset != offset || p.ErrorCode != code {
				c.t.Fatalf("OffsetFetch v%d: %+v, want %d and [%d]", v, p, offset, code)
			}
			continue
		}
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = group
		rt := kmsg.NewOffsetFetchRequestGroupTopic()
		rt.Topic, rt.TopicID, rt.Partitions = "t", topicIDOf(c.t, c.b, "t"), []int32{0}
		g.Topics = append(g.Topics, rt)
		req.Groups = append(req.Groups, g)
		p := ask[*kmsg.OffsetFetchResponse](c.rawClient, req).Groups[0].Topics[0].Partitions[0]
		if p.Offset != offset || p.ErrorCode != code {
			c.t.Fatalf("OffsetFetch v%d: %+v, want %d and [%d]", v, p, offset, code)
		}
	}
}

func TestOffsetsOfATransactionTakeEffectWithIt(t *testing.T) { // behaviours 224, 225
	for v := int16(0); v <= 6; v++ {
		t.Run(fmt.Sprintf("TxnOffsetCommit v%d", v), func(t *testing.T) {
			b, _ := atRest(t)
			c := newTxnClient(t, b, "id")
			end := func(commit bool) {
				t.Helper()
				if v >= 5 {
					c.me = c.end(5, c.me, commit, 0)
					return
				}
				c.end(3, c.me, commit, 0)
			}
			open := func(offset int64) {
				t.Helper()
				if v < 5 {
					c.commit(v, "g", offset, map[bool]int16{true: 48, false: 120}[v < 4], nil)
					c.addOffsets(min(v, 4), "g", 0)
				}
				c.commit(v, "g", offset, 0, nil)
			}
			open(5)
			c.wantOffset("g", false, -1, 0)
			c.wantOffset("g", true, -1, 88)
			end(true)
			c.wantOffset("g", true, 5, 0)
			open(9)
			c.wantOffset("g", false, 5, 0)
			c.wantOffset("g", true, -1, 88)
			end(false)
			c.wantOffset("g", true, 5, 0)

			c.me.Epoch++
			c.commit(v, "g", 1, 47, nil)
			c.me.Epoch--
			c.commit(v, "", 1, 24, nil)
			c.id = "unknown"
			c.commit(v, "g", 1, 49, nil)
		})
	}
}

func TestAMembersTransactionIsOfItsGeneration(t *testing.T) { // behaviour 224, KIP-447
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	c.commit(5, "g", 1, 22, func(r *kmsg.TxnOffsetCommitRequest) { r.Generation, r.MemberID = 1, "m" })
	member := dial(t, b)
	join := joinRequest("g", "")
	joined := ask[*kmsg.JoinGroupResponse](member, join)
	if joined.ErrorCode == 79 {
		joined = ask[*kmsg.JoinGroupResponse](member, joinRequest("g", joined.MemberID))
	}
	as := func(generation int32, member string) func(*kmsg.TxnOffsetCommitRequest) {
		return func(r *kmsg.TxnOffsetCommitRequest) { r.Generation, r.MemberID = generation, member }
	}
	c.commit(5, "g", 1, 25, as(joined.Generation, "stranger"))
	c.commit(5, "g", 1, 22, as(joined.Generation+1, joined.MemberID))
	c.commit(5, "g", 1, 0, as(-1, ""))
	c.commit(5, "g", 2, 0, as(joined.Generation, joined.MemberID))
	c.end(5, c.me, true, 0)
	c.wantOffset("g", true, 2, 0)
}

func TestAPendingOffsetDoesNotUndoALaterOne(t *testing.T) {
	b, _ := atRest(t)
	first, second := newTxnClient(t, b, "first"), newTxnClient(t, b, "second")
	first.commit(5, "g", 1, 0, nil)
	second.commit(5, "g", 2, 0, nil)
	second.end(5, second.me, true, 0)
	first.wantOffset("g", false, 2, 0)
	first.wantOffset("g", true, -1, 88)
	first.end(5, first.me, true, 0)
	first.wantOffset("g", true, 2, 0)
}

func TestOffsetsOfATransactionAreStoredAsPartOfIt(t *testing.T) {
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	c.commit(5, "g", 7, 0, nil)
	p := b.internalTopic(groupMetadataTopic).partitionOf("g")
	if m := p.moment(); m.lastStable != 0 || m.highWatermark != 1 {
		t.Fatalf("open: %+v", m)
	}
	c.end(5, c.me, true, 0)
	if m := p.moment(); m.lastStable != 2 {
		t.Fatalf("committed: %+v", m)
	}
	var kinds []string
	for batch := range p.log.Batches(0, p.log.EndOffset()) {
		a := batch.Attributes()
		if !a.Transactional() || batch.ProducerID() != c.me.ID {
			t.Errorf("a batch of producer %d with attributes %b", batch.ProducerID(), a)
		}
		for r := range batch.Records(nil) {
			if kind, _ := record.ParseControlKey(r.Key); a.Control() {
				kinds = append(kinds, fmt.Sprint("marker ", kind))
				continue
			}
			var k kmsg.OffsetCommitKey
			var v kmsg.OffsetCommitValue
			if k.ReadFrom(r.Key) != nil || v.ReadFrom(r.Value) != nil {
				t.Fatalf("%x %x", r.Key, r.Value)
			}
			kinds = append(kinds, fmt.Sprint(k.Group, " ", k.Topic, " ", v.Offset))
		}
	}
	if got := fmt.Sprint(kinds); got != "[g t 7 marker 1]" {
		t.Errorf("stored is %s", got)
	}
}

func TestAMarkerOnOffsetsEndsThemToo(t *testing.T) { // of a hanging transaction
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	c.commit(5, "g", 7, 0, nil)
	p := b.internalTopic(groupMetadataTopic).partitionOf("g")
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Version = 1
	req.Markers = []kmsg.WriteTxnMarkersRequestMarker{{ProducerID: c.me.ID, ProducerEpoch: c.me.Epoch, Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{
		{Topic: groupMetadataTopic, Partitions: []int32{p.index}}}}}
	ask[*kmsg.WriteTxnMarkersResponse](c.rawClient, req)
	c.wantOffset("g", true, -1, 0)
}

func TestAConsumerGroupsMemberCommitsInATransactionAtItsEpoch(t *testing.T) { // KIP-848
	b, _ := atRest(t)
	c := newTxnClient(t, b, "id")
	join := consumerHeartbeat(1, "m", 0)
	joined := ask[*kmsg.ConsumerGroupHeartbeatResponse](c.rawClient, join)
	if joined.ErrorCode != 0 {
		t.Fatalf("%+v", joined)
	}
	as := func(epoch int32, member string) func(*kmsg.TxnOffsetCommitRequest) {
		return func(r *kmsg.TxnOffsetCommitRequest) { r.Generation, r.MemberID = epoch, member }
	}
	c.commit(5, join.Group, 1, 25, as(joined.MemberEpoch, "stranger"))
	c.commit(5, join.Group, 1, 22, as(joined.MemberEpoch+1, "m"))
	c.commit(5, join.Group, 1, 22, as(joined.MemberEpoch-1, "m"))
	c.commit(5, join.Group, 2, 0, as(joined.MemberEpoch, "m"))
	c.end(5, c.me, true, 0)
	c.wantOffset(join.Group, true, 2, 0)
}
