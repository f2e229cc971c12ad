package broker

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a test pays for its broker, side by side with kfake.

func BenchmarkStartAndClose(b *testing.B) {
	b.Run("minibroker in memory", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			broker, err := New(WithMemoryNetwork())
			if err != nil {
				b.Fatal(err)
			}
			_ = broker.Close()
		}
	})
	b.Run("minibroker over TCP", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			broker, err := New(WithPort(0))
			if err != nil {
				b.Fatal(err)
			}
			_ = broker.Close()
		}
	})
	b.Run("kfake over TCP", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				b.Fatal(err)
			}
			cluster.Close()
		}
	})
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

func BenchmarkWholeCycle(b *testing.B) {
	b.Run("minibroker in memory", func(b *testing.B) {
		for b.Loop() {
			broker, err := New(WithMemoryNetwork())
			if err != nil {
				b.Fatal(err)
			}
			cycle(b, kgo.SeedBrokers(broker.Addr()), kgo.Dialer(broker.Dialer()))
			_ = broker.Close()
		}
	})
	b.Run("minibroker over TCP", func(b *testing.B) {
		for b.Loop() {
			broker, err := New(WithPort(0))
			if err != nil {
				b.Fatal(err)
			}
			cycle(b, kgo.SeedBrokers(broker.Addr()))
			_ = broker.Close()
		}
	})
	b.Run("kfake over TCP", func(b *testing.B) {
		for b.Loop() {
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				b.Fatal(err)
			}
			cycle(b, kgo.SeedBrokers(cluster.ListenAddrs()...))
			cluster.Close()
		}
	})
}
