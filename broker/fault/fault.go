// Package fault describes what shall go wrong with requests to a broker. A
// Fault is a value that reads as a sentence; Broker.Inject puts it in place:
//
//	b.Inject(fault.Fail(kmsg.Produce, kerr.NotLeaderForPartition).OnTopic("orders").Times(2))
//	b.Inject(fault.LoseAnswer(kmsg.Produce))
//	gate := b.Inject(fault.Hold(kmsg.JoinGroup).OnGroup("workers"))
package fault

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Kind is what a Fault does.
type Kind int

// What a Fault can do; the functions of the same names say more.
const (
	KindFail Kind = iota
	KindDelay
	KindDrop
	KindLoseAnswer
	KindCutAnswer
	KindThrottle
	KindHold
	KindCorrupt
	KindSlowRequest
	KindSlowAnswer
)

// Any is every API, for faults that are about all requests:
//
//	b.Inject(fault.Delay(fault.Any, time.Second).FromClient("billing").Always())
const Any kmsg.Key = -1

// Fault is one thing to go wrong. Make it by Fail, Delay, Drop and their likes,
// and narrow it by its methods, each of which returns a changed copy. Unless
// Times or Always is called it happens once.
type Fault struct {
	Kind            Kind
	API             kmsg.Key
	Error           *kerr.Error   // of Fail
	Wait            time.Duration // of Delay and Throttle
	Rate            int           // of SlowRequest and SlowAnswer: bytes per second
	Topic           string        // empty: any
	Partition       int32         // -1: any
	Group           string        // empty: any
	TransactionalID string        // empty: any
	ClientID        string        // empty: any
	Broker          int32         // the id of the broker asked; -1: any
	Skipped         int           // requests that it lets pass first
	Stride          int           // it hits one in so many of the others; 0 or 1: each
	Count           int           // how many requests it hits; 0: all
	MayMiss         bool          // a test does not fail if it never happens
}

func of(kind Kind, api kmsg.Key) Fault {
	return Fault{Kind: kind, API: api, Partition: -1, Broker: -1, Count: 1}
}

// Fail answers with an error and does nothing else: a failed Produce stores no
// record. The error stands where Kafka would put it, for the topics and
// partitions that the fault is narrowed to, and the rest of the request
// succeeds.
func Fail(api kmsg.Key, err *kerr.Error) Fault {
	f := of(KindFail, api)
	f.Error = err
	return f
}

// Delay waits, on the broker's clock, before it handles a request. The
// connection's later requests wait behind it, as in Kafka.
func Delay(api kmsg.Key, d time.Duration) Fault {
	f := of(KindDelay, api)
	f.Wait = d
	return f
}

// Drop closes the connection before a request is handled.
func Drop(api kmsg.Key) Fault { return of(KindDrop, api) }

// LoseAnswer handles a request and closes the connection in place of the
// answer: the write happened, and the client cannot know. It is the trap that
// makes retries write twice.
func LoseAnswer(api kmsg.Key) Fault { return of(KindLoseAnswer, api) }

// CutAnswer handles a request, sends half of the answer and closes the
// connection.
func CutAnswer(api kmsg.Key) Fault { return of(KindCutAnswer, api) }

// Throttle tells the client that it is over its quota, and for how long it
// should be silent. The answer itself is not late; what the client sends
// meanwhile waits, as with a real quota (KIP-219).
func Throttle(api kmsg.Key, d time.Duration) Fault {
	f := of(KindThrottle, api)
	f.Wait = d
	return f
}

// Hold keeps requests unhandled until Release is called on what Inject
// returned: a gate, to bring races about one step at a time.
func Hold(api kmsg.Key) Fault { return of(KindHold, api) }

// Corrupt changes a byte in the records of a Fetch answer, so that their
// checksum is wrong. What is stored stays as it is.
func Corrupt() Fault { return of(KindCorrupt, kmsg.Fetch) }

// SlowAnswer sends the answer at so many bytes per second, on the broker's
// clock, as to a consumer whose socket is slow. The connection's later answers
// wait behind it.
func SlowAnswer(api kmsg.Key, bytesPerSecond int) Fault {
	f := of(KindSlowAnswer, api)
	f.Rate = max(bytesPerSecond, 1)
	return f
}

// SlowRequest takes a request in as if it came at so many bytes per second: it
// is handled when the last of its bytes would have come, on the broker's clock.
// Nothing is read from the connection meanwhile, so what the client writes next
// piles up, in the end on its own side.
func SlowRequest(api kmsg.Key, bytesPerSecond int) Fault {
	f := of(KindSlowRequest, api)
	f.Rate = max(bytesPerSecond, 1)
	return f
}

// OnTopic narrows the fault to requests that name the topic, and to their part
// about it.
func (f Fault) OnTopic(name string) Fault { f.Topic = name; return f }

// OnPartition narrows the fault to one partition, of the topic named by OnTopic
// or of any.
func (f Fault) OnPartition(partition int32) Fault { f.Partition = partition; return f }

// OnGroup narrows the fault to requests about a consumer group.
func (f Fault) OnGroup(id string) Fault { f.Group = id; return f }

// OnTransaction narrows the fault to requests of a transactional id.
func (f Fault) OnTransaction(id string) Fault { f.TransactionalID = id; return f }

// FromClient narrows the fault to requests with a client id.
func (f Fault) FromClient(id string) Fault { f.ClientID = id; return f }

// ToBroker narrows the fault to requests that a logical broker gets, by its id.
func (f Fault) ToBroker(id int32) Fault { f.Broker = id; return f }

// Times makes the fault happen to n requests.
func (f Fault) Times(n int) Fault { f.Count = max(n, 1); return f }

// Always makes the fault happen until it is removed.
func (f Fault) Always() Fault { f.Count = 0; return f }

// After lets n requests pass first that the fault would hit.
func (f Fault) After(n int) Fault { f.Skipped = n; return f }

// Every makes the fault hit one in n requests that it is about: with 10 the
// tenth, the twentieth and so on, those that After lets pass not counted. How
// many it hits in all, Times or Always says.
func (f Fault) Every(n int) Fault { f.Stride = n; return f }

// Hits says whether the fault hits the nth request that it is about, counted
// from 1, if it has hit so many before.
func (f Fault) Hits(n, before int) bool {
	return n > f.Skipped && (n-f.Skipped)%max(1, f.Stride) == 0 && (f.Count == 0 || before < f.Count)
}

// Optional says that it is no failure of the test if the fault never happens.
func (f Fault) Optional() Fault { f.MayMiss = true; return f }

// String says what the fault does, as one sentence without a full stop.
func (f Fault) String() string {
	var s strings.Builder
	api := "any request"
	if f.API != Any {
		api = f.API.Name()
	}
	switch f.Kind {
	case KindFail:
		fmt.Fprintf(&s, "fail %s with %s", api, f.Error.Message)
	case KindDelay:
		fmt.Fprintf(&s, "delay %s by %v", api, f.Wait)
	case KindDrop:
		fmt.Fprintf(&s, "drop the connection before %s", api)
	case KindLoseAnswer:
		fmt.Fprintf(&s, "lose the answer to %s", api)
	case KindCutAnswer:
		fmt.Fprintf(&s, "cut the answer to %s", api)
	case KindThrottle:
		fmt.Fprintf(&s, "throttle %s for %v", api, f.Wait)
	case KindHold:
		fmt.Fprintf(&s, "hold %s", api)
	case KindCorrupt:
		fmt.Fprintf(&s, "corrupt the records in %s", api)
	case KindSlowRequest:
		fmt.Fprintf(&s, "take %s in at %d bytes per second", api, f.Rate)
	case KindSlowAnswer:
		fmt.Fprintf(&s, "send the answer to %s at %d bytes per second", api, f.Rate)
	}
	if f.Topic != "" {
		fmt.Fprintf(&s, " on topic %q", f.Topic)
	}
	if f.Partition >= 0 {
		fmt.Fprintf(&s, " on partition %d", f.Partition)
	}
	if f.Group != "" {
		fmt.Fprintf(&s, " on group %q", f.Group)
	}
	if f.TransactionalID != "" {
		fmt.Fprintf(&s, " on transactional id %q", f.TransactionalID)
	}
	if f.ClientID != "" {
		fmt.Fprintf(&s, " from client %q", f.ClientID)
	}
	if f.Broker >= 0 {
		fmt.Fprintf(&s, " to broker %d", f.Broker)
	}
	if f.Stride > 1 {
		fmt.Fprintf(&s, ", one in %d", f.Stride)
	}
	switch {
	case f.Count == 0:
		s.WriteString(", always")
	case f.Count > 1:
		fmt.Fprintf(&s, ", %d times", f.Count)
	}
	if f.Skipped > 0 {
		fmt.Fprintf(&s, ", after %d", f.Skipped)
	}
	return s.String()
}
