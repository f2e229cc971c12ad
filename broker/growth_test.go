package broker

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// One more of a kind costs the same however many there are. Time says so on a quiet machine only (go run ./bench --run
// '[0-9],000'); memory says so anywhere: whoever copies a list, a map or a snapshot of all for each takes three times as much
// for the second half of them as for the first.
func TestOneMoreCostsTheSameHoweverManyThereAre(t *testing.T) {
	for _, kind := range []struct {
		name string
		n    int
		make func(t *testing.T, b *Broker) func(i int)
	}{
		{"topics of ten partitions", 4000, func(t *testing.T, b *Broker) func(int) {
			c := dial(t, b)
			return func(i int) {
				if got := createTopic(c, 5, fmt.Sprintf("many-%d", i), 10, 1); got.ErrorCode != 0 {
					t.Fatalf("topic %d is answered [%d]", i, got.ErrorCode)
				}
			}
		}},
		{"groups of one", 4000, func(t *testing.T, b *Broker) func(int) {
			c := dial(t, b)
			return func(i int) { groupOfOne(t, c, fmt.Sprintf("group-%d", i)) }
		}},
		{"connections", 2000, func(t *testing.T, b *Broker) func(int) {
			hello := requestFrame(kmsg.NewPtrApiVersionsRequest())
			return func(int) { exchangeFirst(t, b, hello) }
		}},
		{"waiting fetches", 2000, func(t *testing.T, b *Broker) func(int) {
			fetch := fetchRequest(t, b, 12, "t", 0, 0)
			fetch.MaxWaitMillis = 1 << 30
			// The answer to the first is sent when the second waits.
			both := append(requestFrame(kmsg.NewPtrApiVersionsRequest()), requestFrame(fetch)...)
			return func(int) { exchangeFirst(t, b, both) }
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			add := kind.make(t, Start(t, WithTopic("t", 1, nil)))
			next := 0
			until := func(end int) (each float64) { // in bytes
				from, before := next, allocated()
				for ; next < end; next++ {
					add(next)
				}
				return float64(allocated()-before) / float64(end-from)
			}
			until(kind.n / 10) // what is made once
			first := until(kind.n / 2)
			second := until(kind.n)
			t.Logf("%.0f bytes for each of the first half, %.0f of the second", first, second)
			if second > 1.5*first {
				t.Errorf("one of the first half takes %.0f bytes to make, one of the second %.0f", first, second)
			}
		})
	}
}

func requestFrame(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, 1)
}

// exchangeFirst opens one more connection, sends frames and reads the first answer. The connection stays until the broker
// ends.
func exchangeFirst(t *testing.T, b *Broker, frames []byte) {
	t.Helper()
	nc, err := b.Dialer()(t.Context(), "tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write(frames); err != nil {
		t.Fatal(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(nc, size[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, nc, int64(binary.BigEndian.Uint32(size[:]))); err != nil {
		t.Fatal(err)
	}
}

// allocated is all memory that was ever taken, in bytes.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
