package broker

import (
	"io"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
	"minibroker/protocol/record"
)

// This file measures requests without a network: a frame in, an answer out.

// sink is a connection whose answers go nowhere.
type sink struct{ net.Conn }

func (sink) Write(b []byte) (int, error) { return len(b), nil }
func (sink) LocalAddr() net.Addr         { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092} }
func (sink) RemoteAddr() net.Addr        { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }
func (sink) Read([]byte) (int, error)    { return 0, io.EOF }
func (sink) Close() error                { return nil }

// bareConn is a connection without a network: requests are put to handle.
func bareConn(b *Broker) *conn {
	nc := sink{}
	n := b.nodes[0]
	return &conn{broker: b, node: n, nc: nc, peer: newPeer(n, n.ports[0], nc, nil), in: protocol.NewFrameReader(nc), out: answerWriter{w: nc}}
}

// hotFrame is a request as handle takes it: without its size.
func hotFrame(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, req, 1)[4:]
}

func benchmarkHandle(b *testing.B, broker *Broker, req kmsg.Request) {
	frame, c := hotFrame(req), bareConn(broker)
	if err := c.handle(frame); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(4 + len(frame)))
	b.ReportAllocs()
	before := processCPU()
	for b.Loop() {
		if err := c.handle(frame); err != nil {
			b.Fatal(err)
		}
		if err := c.out.flush(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processCPU()-before)/float64(b.N), "cpu-ns/op")
}

func fullBatch(size, recordSize int) record.Batch {
	builder := record.NewBuilder(record.None, 0)
	for i := int64(0); i == 0 || builder.Len()+recordSize <= size; i++ {
		builder.Add(record.Record{Offset: i, Timestamp: 1_700_000_000_000, Value: make([]byte, recordSize-10)})
	}
	raw, err := builder.Build(nil)
	if err != nil {
		panic(err)
	}
	return raw
}

// hotRequest is a request that comes often.
type hotRequest struct {
	name string
	req  func(testing.TB, *Broker) kmsg.Request // to a broker with the topic t
}

func hotRequests() []hotRequest {
	as := func(req kmsg.Request) func(testing.TB, *Broker) kmsg.Request {
		return func(testing.TB, *Broker) kmsg.Request { return req }
	}
	produce := func(raw []byte) func(testing.TB, *Broker) kmsg.Request {
		req := kmsg.NewPtrProduceRequest()
		req.Version, req.Acks = 9, -1
		req.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: raw}}}}
		return as(req)
	}
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 12
	metadata.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("t")}}
	coordinator := kmsg.NewPtrFindCoordinatorRequest()
	coordinator.Version, coordinator.CoordinatorKeys = 4, []string{"g"}
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.Version, versions.ClientSoftwareName, versions.ClientSoftwareVersion = 3, "bench", "1"
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version, fetch.MaxWaitMillis, fetch.MinBytes, fetch.MaxBytes, fetch.SessionEpoch = 12, 500, 1, 16<<10, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.PartitionMaxBytes = 16 << 10
	fetch.Topics = []kmsg.FetchRequestTopic{{Topic: "t", Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	beat := func(t testing.TB, b *Broker) kmsg.Request {
		groupOfOne(t, dial(t, b), "g")
		req := kmsg.NewPtrHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.Generation = 4, "g", b.Group("g").Members()[0].ID, 1
		return req
	}
	return []hotRequest{
		{"Produce 16 KiB of 1 KiB", produce(fullBatch(16<<10, 1<<10))},
		{"Produce 16 KiB of 100 B", produce(fullBatch(16<<10, 100))},
		{"Produce one record", produce(fullBatch(1, 100))},
		{"Fetch 16 KiB", as(fetch)},
		{"ApiVersions", as(versions)},
		{"Metadata", as(metadata)},
		{"FindCoordinator", as(coordinator)},
		{"OffsetCommit", as(commitRequest("simple", "", -1, 42))},
		{"Heartbeat", beat},
	}
}

func BenchmarkHandle(b *testing.B) {
	small := map[string]string{"retention.bytes": "67108864", "segment.bytes": "16777216"}
	for _, hot := range hotRequests() {
		b.Run(hot.name, func(b *testing.B) {
			broker, err := New(WithTopic("t", 1, small), WithPort(0))
			if err != nil {
				b.Fatal(err)
			}
			defer broker.Close()
			if err := broker.Produce("t", Record{Value: make([]byte, 16<<10)}); err != nil {
				b.Fatal(err)
			}
			benchmarkHandle(b, broker, hot.req(b, broker))
		})
	}
}
