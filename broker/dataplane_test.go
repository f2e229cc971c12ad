package broker

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol/record"
)

// Two fetchers follow a producer, one of them with a session: all see all
// records, in order, while retention and compaction have nothing to do.
func TestFetchersFollowAProducer(t *testing.T) {
	const batches, each = 300, 5
	b := Start(t, WithTopic("t", 1, nil))
	var wg sync.WaitGroup
	follow := func(incremental bool) {
		c := dial(t, b)
		next, s := int64(0), fetchSessionState{0, -1}
		if incremental {
			s.epoch = 0
		}
		for next < batches*each {
			req := sessionRequest(t, b, 13, s, next)
			req.MaxWaitMillis = 10_000
			c.send(req)
			r, err := c.read(req)
			if err != nil {
				t.Error(err)
				return
			}
			resp := r.(*kmsg.FetchResponse)
			if incremental {
				s = fetchSessionState{resp.SessionID, s.epoch + 1}
			}
			if len(resp.Topics) == 0 {
				continue
			}
			for batch := range record.Batches(resp.Topics[0].Partitions[0].RecordBatches) {
				for rec, err := range batch.Records(nil) {
					if err != nil {
						t.Error(err)
						return
					}
					if rec.Offset < next {
						continue
					}
					if want := fmt.Sprint(next); rec.Offset != next || string(rec.Value) != want {
						t.Errorf("record %d is %q at offset %d", next, rec.Value, rec.Offset)
						return
					}
					next++
				}
			}
		}
	}
	wg.Go(func() { follow(false) })
	wg.Go(func() { follow(true) })
	c := dial(t, b)
	for i := range batches {
		values := make([]string, each)
		for j := range values {
			values[j] = fmt.Sprint(i*each + j)
		}
		c.mustProduce(b, "t", batchOf(t, 0, values, producedBy(1, 0, int32(i*each))))
	}
	wg.Wait()
}

// Many fetches wait on one partition; one record wakes each of them once, and
// they leave nothing behind.
func TestOneRecordWakesThousandsOfFetches(t *testing.T) {
	n := 5000
	if testing.Short() {
		n = 500
	}
	l := newPipeListener()
	b, _ := atRest(t, WithListener(l))
	req := fetchRequest(t, b, 12, "t", 0, 0)
	req.MaxWaitMillis = 1000
	waiting := make([]*rawClient, n)
	for i := range waiting {
		waiting[i] = l.dial(t)
		waiting[i].send(req)
	}
	untilWaiting(t, b, "t", n)
	l.dial(t).mustProduce(b, "t", batchOf(t, 0, []string{"x"}))
	for _, c := range waiting {
		wantValues(t, received[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0].RecordBatches, "x")
	}
	untilWaiting(t, b, "t", 0)
}

// pipeListener is a network inside the process.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func newPipeListener() *pipeListener {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	return l
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error { l.close(); return nil }

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092} }

func (l *pipeListener) dial(t testing.TB) *rawClient {
	t.Helper()
	mine, theirs := net.Pipe()
	l.conns <- theirs
	t.Cleanup(func() { _ = mine.Close() })
	return newRawClient(t, mine, "test")
}

func BenchmarkProduce16KiB(b *testing.B) {
	for _, size := range []int{1024, 100} {
		b.Run(fmt.Sprintf("records-of-%dB", size), func(b *testing.B) {
			broker := Start(b, WithTopic("t", 1, map[string]string{"retention.bytes": "67108864", "segment.bytes": "16777216"}))
			values := make([]string, 16<<10/size)
			for i := range values {
				values[i] = strings.Repeat("x", size)
			}
			batch := batchOf(b, broker.nowMs(), values)
			benchmarkRequest(b, broker, produceRequest(b, broker, 9, "t", 0, batch), len(batch))
		})
	}
}

func BenchmarkFetch1MiB(b *testing.B) {
	broker := Start(b, WithTopic("t", 1, nil))
	c := dial(b, broker)
	for range 80 {
		c.mustProduce(broker, "t", batchOf(b, broker.nowMs(), []string{strings.Repeat("x", 16<<10)}))
	}
	req := fetchRequest(b, broker, 12, "t", 0, 0)
	benchmarkRequest(b, broker, req, 1<<20)
}

func BenchmarkFetch100B(b *testing.B) {
	broker := Start(b, WithTopic("t", 1, nil))
	dial(b, broker).mustProduce(broker, "t", batchOf(b, broker.nowMs(), []string{strings.Repeat("x", 20)}))
	benchmarkRequest(b, broker, fetchRequest(b, broker, 12, "t", 0, 0), 100)
}

// benchmarkRequest sends one encoded request again and again over loopback and
// throws the answers away.
func benchmarkRequest(b *testing.B, broker *Broker, req kmsg.Request, bytes int) {
	c := dial(b, broker)
	frame := c.form.AppendRequest(nil, req, 1)
	buf := make([]byte, 2<<20)
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		c.sendRaw(frame)
		if err := c.discard(buf); err != nil {
			b.Fatal(err)
		}
	}
}
