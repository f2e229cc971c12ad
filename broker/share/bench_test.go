package share

import (
	"fmt"
	"testing"
	"time"
)

// What a leader does for each record that is fetched and acknowledged, by the
// number of records in a batch.
func BenchmarkAcquireAndAcknowledge(b *testing.B) {
	for _, size := range []int64{1, 10, 500} {
		b.Run(fmt.Sprintf("batches of %d", size), func(b *testing.B) {
			b.ReportAllocs()
			s, _, _ := Initialize(nil, key, 1, 0, 1)
			p := Load(s, 0)
			now := time.Unix(1000, 0)
			store := func(w Write) *Refusal {
				_, err := Put(s, key, 0, w, 500, 1)
				return err
			}
			next := int64(0)
			for b.Loop() {
				batch := Range{next, next + size - 1}
				f := Fetch{Member: "m", MaxRecords: NoLimit, BatchSize: NoLimit, From: p.NextFetch(), Batches: []Range{batch}}
				p.Acquire(now, &f, &limits)
				if err := p.Acknowledge(now, "m", []Ack{{batch, []AckType{Accept}}}, &limits, store); err != nil {
					b.Fatal(err.Message)
				}
				next += size
			}
			if p.Start() != next {
				b.Errorf("the group is at %d, want %d", p.Start(), next)
			}
		})
	}
}
