package group

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// store takes what a group wants stored, as the log would, and fails the script
// if somebody who reads it would not find the group as it is. All scripts and
// the random events pass through here.
func (s *script) store(e Effects) {
	if len(e.Records) == 0 && len(e.Events) == 0 && !s.g.offsets.None() == (len(s.stored) > 0) {
		return // nothing happened, as with a heartbeat
	}
	for _, ev := range e.Events {
		if ev.Why == "unloaded" { // the records stay for whoever serves the group next
			clear(s.stored)
		}
	}
	for _, r := range e.Records {
		if r.Value == nil {
			if _, there := s.stored[string(r.Key)]; !there && r.Key[1] != groupKeyVersion {
				s.t.Fatalf("a tombstone for what is not there: %q", r.Key)
			}
			delete(s.stored, string(r.Key))
		} else {
			s.stored[string(r.Key)] = r
		}
	}
	var want []string
	for _, topic := range s.g.offsets.Topics() {
		for _, p := range s.g.offsets.Partitions(topic) {
			want = append(want, fmt.Sprintf("%s/%d %+v", topic, p.Partition, p.Committed))
		}
	}
	switch {
	case s.g.state == Stable, s.g.state == Empty && s.g.protocolType != "":
		line := fmt.Sprintf("%s generation %d at %d", s.g.protocolType, s.g.generation, len(s.g.order))
		for _, m := range s.g.order {
			line += fmt.Sprintf(", %s %q", m.id, m.assignment)
		}
		want = append(want, line)
	}
	var got []string
	for _, r := range s.stored {
		if r.Key[1] == groupKeyVersion {
			var v kmsg.GroupMetadataValue
			if err := v.ReadFrom(r.Value); err != nil {
				s.t.Fatal(err)
			}
			switch s.g.state {
			case Dead:
				s.t.Fatalf("a group that is gone is still stored as %+v", v)
			case PreparingRebalance, CompletingRebalance:
				continue // what is stored is the last generation
			case Empty:
				if s.g.protocolType == "" {
					continue
				}
			}
			line := fmt.Sprintf("%s generation %d at %d", v.ProtocolType, v.Generation, len(v.Members))
			for _, m := range v.Members {
				line += fmt.Sprintf(", %s %q", m.MemberID, m.Assignment)
			}
			got = append(got, line)
			continue
		}
		var k kmsg.OffsetCommitKey
		var v kmsg.OffsetCommitValue
		if err := k.ReadFrom(r.Key); err != nil {
			s.t.Fatal(err)
		}
		if err := v.ReadFrom(r.Value); err != nil {
			s.t.Fatal(err)
		}
		c := Committed{Offset: v.Offset, LeaderEpoch: v.LeaderEpoch, Metadata: v.Metadata, CommitMillis: v.CommitTimestamp, ExpireMillis: -1}
		if v.Version == expiringOffsetValueVersion { // it has no leader epoch
			now, _ := s.g.offsets.Get(k.Topic, k.Partition)
			c.ExpireMillis, c.LeaderEpoch = v.ExpireTimestamp, now.LeaderEpoch
		}
		got = append(got, fmt.Sprintf("%s/%d %+v", k.Topic, k.Partition, c))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Fatalf("stored is\n%s\nthe group is\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStoringACommitAllocatesItsRecordOnly(t *testing.T) {
	topic := Topic{Name: "orders", ID: [16]byte{1}}
	c := Committed{Offset: 1 << 40, LeaderEpoch: 7, Metadata: strings.Repeat("m", 300), CommitMillis: 1, ExpireMillis: -1}
	// The race detector lets one thing more escape.
	if n := testing.AllocsPerRun(100, func() { OffsetRecord("group", &topic, 3, &c) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}
