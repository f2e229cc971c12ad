package broker

import "testing"

func TestInternalTopicsComeIntoBeingOnFirstUse(t *testing.T) {
	b := Start(t)
	for name, partitions := range map[string]int{groupMetadataTopic: 50, transactionStateTopic: 50, shareStateTopic: 50} {
		got := b.internalTopic(name)
		if got == nil || !got.internal || len(got.partitions) != partitions {
			t.Fatalf("%s: %+v", name, got)
		}
		if again := b.internalTopic(name); again != got {
			t.Errorf("%s was made twice", name)
		}
	}
}

func TestCoordinatorPartitionsAreThoseOfApacheKafka(t *testing.T) {
	// What Java's "...".hashCode() gives, its sign bit off, modulo 50.
	groups := Start(t).internalTopic(groupMetadataTopic)
	for key, want := range map[string]int32{"": 0, "a": 97 % 50, "test-group": 12, "é": 233 % 50} {
		if got := groups.partitionOf(key).index; got != want {
			t.Errorf("%q is in partition %d, want %d", key, got, want)
		}
	}
}
