// Package share holds the state machines of share groups' partitions (KIP-932):
// which records are on loan to whom, and what of that is stored. They are pure:
// no goroutine, lock, clock, network or randomness. The time is an argument; an
// owner with a lock around one machine does what they return.
//
// This file owns the words that all share. A Partition (partition.go,
// acquire.go, acknowledge.go) is what a partition's leader knows of one group's
// records in flight, Kafka's SharePartition. A State (state.go) is what the
// share coordinator stores of it, Kafka's ShareGroupOffset.
package share

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// RecordState is the state of one record in a share group, with Kafka's numbers
// (org.apache.kafka.server.share.fetch.RecordState).
type RecordState int8

// The states of records.
const (
	Available    RecordState = 0 // to be delivered
	Acquired     RecordState = 1 // on loan to a member
	Acknowledged RecordState = 2 // done
	Archived     RecordState = 4 // given up: rejected, delivered too often, or gone
)

// String is the state's name.
func (s RecordState) String() string {
	switch s {
	case Acquired:
		return "Acquired"
	case Acknowledged:
		return "Acknowledged"
	case Archived:
		return "Archived"
	}
	return "Available"
}

func (s RecordState) terminal() bool { return s == Acknowledged || s == Archived }

// AckType is what a member says of a record
// (org.apache.kafka.clients.consumer.AcknowledgeType).
type AckType int8

// The ways to acknowledge.
const (
	Gap     AckType = 0 // there is no record at this offset for the application
	Accept  AckType = 1
	Release AckType = 2 // deliver it again
	Reject  AckType = 3 // never deliver it again
	Renew   AckType = 4 // keep the lock (KIP-1222)
)

// becomes is the state of a record that was acknowledged. Renew has none.
var becomes = [...]RecordState{Gap: Archived, Accept: Acknowledged, Release: Available, Reject: Archived}

// Range is a run of offsets, both ends included.
type Range struct{ First, Last int64 }

func (r Range) size() int { return int(r.Last - r.First + 1) }

// Records is a run of records that were delivered equally often.
type Records struct {
	Range
	DeliveryCount int16
}

// StateBatch is a run of records in one state, as it is stored.
type StateBatch struct {
	Range
	State         RecordState
	DeliveryCount int16
}

// same tells whether two batches differ in nothing but their offsets.
func (b StateBatch) same(o StateBatch) bool {
	return b.State == o.State && b.DeliveryCount == o.DeliveryCount
}

// Limits is what a group's configs say. They may change at any time.
type Limits struct {
	MaxInFlight   int           // share.partition.max.record.locks
	MaxDeliveries int           // share.delivery.count.limit
	LockFor       time.Duration // share.record.lock.duration.ms
	MayRenew      bool          // share.renew.acknowledge.enable
}

// Refusal is an error with a text for people.
type Refusal struct {
	Err     *kerr.Error
	Message string
}

func refuse(err *kerr.Error, message string) *Refusal { return &Refusal{err, message} }

// Write is what a partition's leader wants stored.
type Write struct {
	StateEpoch int32
	Start      int64
	Complete   int32 // records from Start on whose delivery is complete
	Batches    []StateBatch
}

// Store stores a write, or says why it cannot.
type Store func(Write) *Refusal
