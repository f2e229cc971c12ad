package broker

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// frameOf is a request frame made by hand: key, version, correlation id 5, no
// client id, then the body.
func frameOf(key, version int16, body ...byte) []byte {
	f := binary.BigEndian.AppendUint16(nil, uint16(key))
	f = binary.BigEndian.AppendUint16(f, uint16(version))
	f = append(f, 0, 0, 0, 5, 0xff, 0xff)
	f = append(f, body...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(f))), f...)
}

func TestApiVersionsOfAnUnknownVersionIsAnsweredInV0(t *testing.T) {
	c := dial(t, Start(t))
	for _, version := range []int16{6, 99, -1} { // behaviour 2
		c.sendRaw(frameOf(18, version))
		id, body, err := c.frame()
		if err != nil || id != 5 {
			t.Fatalf("v%d: id %d, %v", version, id, err)
		}
		resp := kmsg.NewPtrApiVersionsResponse()
		if err := resp.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
		if resp.ErrorCode != 35 || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 || resp.ApiKeys[0].MaxVersion != 5 {
			t.Errorf("v%d: %+v", version, resp)
		}
	}
	// The connection stays open.
	ask[*kmsg.ApiVersionsResponse](c, kmsg.NewPtrApiVersionsRequest())
}

func TestApiVersionsChecksTheClientsName(t *testing.T) {
	c := dial(t, Start(t))
	for name, want := range map[string]int16{"": 42, "a b": 42, "-x": 42, "librdkafka": 0, "x": 0} { // behaviour 3
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 3, name, "1.0"
		got := ask[*kmsg.ApiVersionsResponse](c, req)
		if got.ErrorCode != want || (len(got.ApiKeys) == 0) != (want != 0) {
			t.Errorf("%q: error %d, %d keys", name, got.ErrorCode, len(got.ApiKeys))
		}
	}
}

func TestApiVersionsTellsAClientThatItIsAtTheWrongBroker(t *testing.T) {
	b := Start(t)
	c := dial(t, b)
	right, wrong := b.ClusterID(), "another-cluster"
	for _, k := range []struct {
		cluster *string
		node    int32
		want    int16
	}{{nil, -1, 0}, {&right, 1, 0}, {&wrong, 1, 129}, {&right, 2, 129}, {&right, -1, 42}, {nil, 1, 42}} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 5, "x", "1"
		req.ClusterID, req.NodeID = k.cluster, k.node
		if got := ask[*kmsg.ApiVersionsResponse](c, req).ErrorCode; got != k.want {
			t.Errorf("cluster %v node %d: error %d, want %d", k.cluster, k.node, got, k.want)
		}
	}
}

func TestWhatKafkaDoesNotAnswerEndsOnlyItsConnection(t *testing.T) {
	b := Start(t)
	bystander := dial(t, b)
	size := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	for name, frame := range map[string][]byte{
		"a version from the future":    frameOf(3, 99), // behaviour 9
		"a negative version":           frameOf(3, -1),
		"a removed key":                frameOf(4, 0), // behaviour 10
		"a controller's key":           frameOf(52, 0),
		"an unknown key":               frameOf(999, 0),
		"a negative key":               frameOf(-1, 0),
		"size 0":                       size(0), // behaviour 11
		"a negative size":              size(0xffffffff),
		"a size above the limit":       size(104857601),
		"a frame of 3 bytes":           append(size(3), 1, 2, 3), // behaviour 13
		"a body cut short":             frameOf(18, 3),           // behaviour 4
		"17 MiB of empty topic names":  frameOf(3, 1, make([]byte, 17<<20)...),
		"a list longer than the frame": frameOf(3, 0, 0x7f, 0xff, 0xff, 0xff),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, b)
			c.sendRaw(frame)
			c.ended()
		})
	}
	ask[*kmsg.ApiVersionsResponse](bystander, kmsg.NewPtrApiVersionsRequest())
}

func TestBytesBehindARequestsBodyAreIgnored(t *testing.T) {
	c := dial(t, Start(t))
	c.sendRaw(frameOf(18, 0, 1, 2, 3, 4)) // behaviour 5
	if _, _, err := c.frame(); err != nil {
		t.Fatal(err)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	c := dial(t, Start(t))
	var all []byte
	for range 3 { // behaviour 14
		all = append(all, frameOf(18, 0)...)
	}
	// The last one waits for its rest.
	c.sendRaw(all[:len(all)-3])
	for range 2 {
		if id, _, err := c.frame(); err != nil || id != 5 {
			t.Fatalf("id %d, %v", id, err)
		}
	}
	c.sendRaw(all[len(all)-3:])
	if _, _, err := c.frame(); err != nil {
		t.Fatal(err)
	}
}
