package record

import (
	"math/rand/v2"
	"testing"
)

func TestTheQuickWalkSeesWhatTheOtherSees(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	fine := 0
	for range 3000 {
		b := NewBuilder(None, 0)
		withKeys, headers := r.IntN(2) == 0, r.IntN(4) == 0
		for i := range 1 + r.IntN(20) {
			rec := Record{Offset: int64(i), Timestamp: goldenTime + r.Int64N([]int64{1, 50, 5000, 1 << 40}[r.IntN(4)]), Value: make([]byte, r.IntN([]int{2, 30, 300, 9000}[r.IntN(4)]))}
			if withKeys {
				rec.Key = make([]byte, r.IntN(100))
			}
			if headers {
				rec.Headers = []Header{{Key: "h", Value: []byte("v")}}
			}
			b.Add(rec)
		}
		raw, err := b.Build(nil)
		if err != nil {
			t.Fatal(err)
		}
		l := generous()
		l.Compacted = r.IntN(2) == 0
		if r.IntN(3) == 0 {
			l.TimestampBeforeMaxMs, l.TimestampAfterMaxMs = 1000, 1000
		}
		l.LogAppendTime = r.IntN(3) == 0
		batch := Batch(raw)
		if _, ok := l.quick(batch, raw[HeaderSize:]); ok {
			fine++
		}
		checkQuick(t, l, batch)
		for range 20 { // something wrong in it
			wrong := append(Batch(nil), batch...)
			wrong[HeaderSize+r.IntN(min(len(raw)-HeaderSize, 60))] ^= byte(1 << r.IntN(8))
			checkQuick(t, l, wrong)
		}
	}
	if fine < 100 {
		t.Errorf("only %d of 3000 batches are as most are", fine)
	}
}
