package broker

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/internal/clock"
	"minibroker/protocol/record"
)

// This file tests that no client waits for another: neither for one that is slow
// to send or to read, nor for more than one request of one that has many.

// pipes is a network without any buffer: who writes waits until all of it is
// read. So a client knows how far the broker has come.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-p.dialed:
		return nc, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092} }

func (p *pipes) dial(t *testing.T, clientID string) *rawClient {
	nc, theirs := net.Pipe()
	p.dialed <- theirs
	t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(clock.Real{}.Now().Add(time.Minute)); err != nil { // a test that fails gets that far
		t.Fatal(err)
	}
	return newRawClient(t, nc, clientID)
}

// throughPipes starts a broker with a topic t that others wait for on pipes.
func throughPipes(t *testing.T) (*Broker, *pipes) {
	p := &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}
	return Start(t, WithListener(p), WithTopic("t", 1, map[string]string{"max.message.bytes": "20000000"})), p
}

// begun reads the first byte of an answer: the broker is writing the rest now.
func (c *rawClient) begun() {
	c.t.Helper()
	first := make([]byte, 1)
	if _, err := c.nc.Read(first); err != nil {
		c.t.Fatal(err)
	}
	c.in = bufio.NewReader(io.MultiReader(bytes.NewReader(first), c.nc))
}

// everything asks for what needs the partition, a group and the cluster, and
// returns the offset of the record that it produced.
func (c *rawClient) everything(b *Broker, value string) (offset int64) {
	c.t.Helper()
	offset = c.mustProduce(b, "t", batchOf(c.t, 0, []string{value}))
	if p := c.fetch(b, "t", offset); p.ErrorCode != 0 || len(p.RecordBatches) == 0 {
		c.t.Fatalf("the fetch gets [%d] and %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	if code := ask[*kmsg.OffsetCommitResponse](c, commitRequest("g", "", -1, offset)).Topics[0].Partitions[0].ErrorCode; code != 0 {
		c.t.Fatalf("the commit fails with [%d]", code)
	}
	ask[*kmsg.MetadataResponse](c, kmsg.NewPtrMetadataRequest())
	if err := b.CreateTopic("for-"+value, 1, nil); err != nil {
		c.t.Fatal(err)
	}
	return offset
}

func TestHalfARequestKeepsNobodyWaiting(t *testing.T) {
	b, network := throughPipes(t)
	slow, other := network.dial(t, "slow"), network.dial(t, "other")
	builder := record.NewBuilder(record.None, 0)
	builder.Add(record.Record{Value: make([]byte, 4<<20)})
	large, err := builder.Build(nil)
	if err != nil {
		t.Fatal(err)
	}
	req := produceRequest(t, b, 13, "t", 0, large)
	frame := slow.form.AppendRequest(nil, req, 1)
	slow.next = 1
	for i, cut := range []int{2, 30, len(frame) / 2, len(frame) - 1} { // in the size, the header, the records
		before := []int{0, 2, 30, len(frame) / 2}[i]
		slow.sendRaw(frame[before:cut])
		if offset := other.everything(b, string(rune('a'+i))); offset != int64(i) {
			t.Errorf("the other client's record has offset %d, want %d", offset, i)
		}
	}
	slow.sendRaw(frame[len(frame)-1:])
	if p := received[*kmsg.ProduceResponse](slow, req).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != 4 {
		t.Errorf("the slow client is answered [%d] and offset %d, want 4", p.ErrorCode, p.BaseOffset)
	}
}

func TestAnUnreadFetchKeepsNobodyWaiting(t *testing.T) {
	b, network := throughPipes(t)
	slow, other := network.dial(t, "slow"), network.dial(t, "other")
	stored := fullBatch(1<<20, 1<<10)
	other.mustProduce(b, "t", bytes.Clone(stored))
	req := fetchRequest(t, b, 18, "t", 0, 0)
	slow.send(req)
	slow.begun()
	other.everything(b, "a")
	// What is sent is what was there, whatever becomes of the log.
	if err := b.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	const crc = 17 // before it are base offset and leader epoch, which are the broker's
	if got := received[*kmsg.FetchResponse](slow, req).Topics[0].Partitions[0].RecordBatches; len(got) < len(stored) || !bytes.Equal(got[crc:len(stored)], stored[crc:]) {
		t.Errorf("the answer's %d bytes are not the %d that were stored", len(got), len(stored))
	}
}

func TestAnUnreadAnswerOfAGroupKeepsNobodyWaiting(t *testing.T) {
	b, network := throughPipes(t)
	slow, other := network.dial(t, "slow"), network.dial(t, "other")
	groupOfOne(t, slow, "shared")
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Version, beat.Group, beat.MemberID, beat.Generation = 4, "shared", b.Group("shared").Members()[0].ID, 1
	commit := commitRequest("shared", beat.MemberID, beat.Generation, 7)
	slow.send(beat)
	slow.begun()
	if code := ask[*kmsg.HeartbeatResponse](other, beat).ErrorCode; code != 0 {
		t.Errorf("a heartbeat fails with [%d]", code)
	}
	if code := ask[*kmsg.OffsetCommitResponse](other, commit).Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Errorf("a commit fails with [%d]", code)
	}
	other.everything(b, "a")
	if code := received[*kmsg.HeartbeatResponse](slow, beat).ErrorCode; code != 0 {
		t.Errorf("the slow client's heartbeat fails with [%d]", code)
	}
}

// TestARunOfRequestsLetsOthersInBetween holds that a client that sends many
// requests at once gets one after the other, and others their turn in between.
func TestARunOfRequestsLetsOthersInBetween(t *testing.T) {
	b, network := throughPipes(t)
	heavy, light := network.dial(t, "heavy"), network.dial(t, "light")
	var turns []int64                       // of the light client's records
	stop := b.Observe(func(o Observation) { // while the heavy client's requests are worked on
		if o.ClientID == "heavy" {
			turns = append(turns, light.everything(b, string(rune('a'+len(turns)))))
		}
	})
	const run = 5
	req := produceRequest(t, b, 13, "t", 0, fullBatch(1<<18, 1<<18-200))
	var frames []byte
	for i := range int32(run) {
		frames = append(frames, heavy.form.AppendRequest(nil, req, i+1)...)
	}
	go func() { _, _ = heavy.nc.Write(frames) }() // answers come meanwhile
	for i := range run {
		heavy.next = int32(i + 1)
		if p := received[*kmsg.ProduceResponse](heavy, req).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != int64(2*i) {
			t.Errorf("request %d is answered [%d] and offset %d, want %d", i, p.ErrorCode, p.BaseOffset, 2*i)
		}
	}
	stop()
	if want := []int64{1, 3, 5, 7, 9}; !slices.Equal(turns, want) {
		t.Errorf("the light client's records have the offsets %d, want %d", turns, want)
	}
}
