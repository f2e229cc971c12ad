package broker

import (
	"context"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a test pays for its broker, side by side with kfake. cpu-µs/op is the
// process's CPU time, the kernel's part included: where several run at once, it
// says more than the time on the wall.

// rival is a broker to start, and how a client finds it.
type rival struct {
	name  string
	start func(testing.TB) (client []kgo.Opt, stop func())
}

var rivals = []rival{
	{"minibroker in memory", func(t testing.TB) ([]kgo.Opt, func()) {
		b, err := New(WithMemoryNetwork())
		if err != nil {
			t.Fatal(err)
		}
		return []kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dialer())}, func() { _ = b.Close() }
	}},
	{"minibroker over TCP", func(t testing.TB) ([]kgo.Opt, func()) {
		b, err := New(WithPort(0))
		if err != nil {
			t.Fatal(err)
		}
		return []kgo.Opt{kgo.SeedBrokers(b.Addr())}, func() { _ = b.Close() }
	}},
	{"kfake over TCP", func(t testing.TB) ([]kgo.Opt, func()) {
		c, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		return []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, c.Close
	}},
}

// versus runs f for each of them.
func versus(b *testing.B, f func(*testing.B, rival)) {
	for _, p := range rivals {
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			before := processCPU()
			f(b, p)
			b.ReportMetric(float64((processCPU()-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
		})
	}
}

func BenchmarkStartAndClose(b *testing.B) {
	versus(b, func(b *testing.B, p rival) {
		for b.Loop() {
			_, stop := p.start(b)
			stop()
		}
	})
}

// BenchmarkStart leaves the brokers open until it has measured: what an idle
// one keeps is measured too.
func BenchmarkStart(b *testing.B) {
	versus(b, func(b *testing.B, p rival) {
		var stops []func()
		goroutines, bytes := runtime.NumGoroutine(), liveHeap()
		for range b.N {
			_, stop := p.start(b)
			stops = append(stops, stop)
		}
		b.StopTimer()
		b.ReportMetric(float64(liveHeap()-bytes)/float64(b.N), "idle-B/broker")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(b.N), "goroutines/broker")
		for _, stop := range stops {
			stop()
		}
	})
}

// liveHeap is the bytes that live on the heap.
func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// cycle creates a topic, produces, consumes and leaves.
func cycle(b *testing.B, opts ...kgo.Opt) {
	ctx := context.Background()
	client, err := kgo.NewClient(append(opts, kgo.DefaultProduceTopic("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		b.Fatal(err)
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr(); err != nil {
		b.Fatal(err)
	}
	client.AddConsumeTopics("t")
	if n := client.PollFetches(ctx).NumRecords(); n != 1 {
		b.Fatalf("consumed %d records", n)
	}
}

// BenchmarkWholeCycle is a test as people write it: a broker and a client that
// uses it.
func BenchmarkWholeCycle(b *testing.B) {
	versus(b, func(b *testing.B, p rival) {
		for b.Loop() {
			client, stop := p.start(b)
			cycle(b, client...)
			stop()
		}
	})
}

func BenchmarkWholeCycleInParallel(b *testing.B) {
	versus(b, func(b *testing.B, p rival) {
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				client, stop := p.start(b)
				cycle(b, client...)
				stop()
			}
		})
	})
}
