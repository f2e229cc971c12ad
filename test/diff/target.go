package diff

import (
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the servers: an address and what must be known of one before
// its answers can be compared.

const (
	keyProduce     int16 = 0
	keyApiVersions int16 = 18
)

// Names of targets, as tables use them.
const (
	minibroker = "minibroker"
	kfakeName  = "kfake"
	apache     = "Apache Kafka"
)

// began makes names new for every run, so that a server can be used again.
var began = time.Now().UnixNano()

// unique is what the names of one take of a script end with, always as long.
func unique(take int) string {
	return fmt.Sprintf("%05s", strconv.FormatInt((began+int64(take))%(36*36*36*36*36), 36))
}

// base is the timestamp of the scripts' first records: recent enough not to
// be retained away, and whole hours before now, so that it can't be mistaken
// for a timestamp that a server gave.
var base = time.Now().Add(-3 * time.Hour).Truncate(time.Hour).UnixMilli()

// target is a server, or what one answered once.
type target struct {
	name, addr string
	recorded   *recording // nil for a server
	// settles is how long a change may take to show after it was answered.
	settles time.Duration
	// silence is how long to listen where no answer is expected: the
	// connection may still be closed.
	silence time.Duration
	// retakes is how often a script whose answers are not those expected is played
	// again: one that is slow to take a change in answers as before it at times.
	retakes int
	port    int32
	nodeID  int32
	cluster string
	serves  map[int16][2]int16
	// secure: a connection logs in as the user whose name its step's on has.
	secure bool
}

// connect asks a server who it is and waits until its coordinators work.
func connect(name, addr string, secure bool) (*target, error) {
	t := &target{name: name, addr: addr, secure: secure, settles: 200 * time.Millisecond, silence: 400 * time.Millisecond, serves: make(map[int16][2]int16)}
	c, err := t.dial("")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ask := func(r kmsg.Request, version int16) (kmsg.Response, error) {
		r.SetVersion(version)
		id, err := c.send(r)
		if err != nil {
			return nil, err
		}
		body, err := c.read(id, patience)
		if err != nil {
			return nil, fmt.Errorf("%s, %s v%d: %w", name, kmsg.NameForKey(r.Key()), version, err)
		}
		resp, _, err := decode(r, body)
		return resp, err
	}
	resp, err := ask(kmsg.NewPtrApiVersionsRequest(), 0)
	if err != nil {
		return nil, err
	}
	for _, k := range resp.(*kmsg.ApiVersionsResponse).ApiKeys {
		t.serves[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	resp, err = ask(kmsg.NewPtrMetadataRequest(), 7)
	if err != nil {
		return nil, err
	}
	md := resp.(*kmsg.MetadataResponse)
	if len(md.Brokers) != 1 || md.ClusterID == nil {
		return nil, fmt.Errorf("%s has %d brokers: one with a cluster id is needed", name, len(md.Brokers))
	}
	t.nodeID, t.port, t.cluster = md.Brokers[0].NodeID, md.Brokers[0].Port, *md.ClusterID

	// The first moments of a broker are not what is compared here.
	deadline := time.Now().Add(patience)
	for _, try := range []func() (int16, error){
		func() (int16, error) {
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.CoordinatorKey = "warm-up"
			resp, err := ask(r, 3)
			if err != nil {
				return 0, err
			}
			return resp.(*kmsg.FindCoordinatorResponse).ErrorCode, nil
		},
		func() (int16, error) {
			r := kmsg.NewPtrHeartbeatRequest()
			r.Group = "warm-up"
			resp, err := ask(r, 3)
			if err != nil {
				return 0, err
			}
			switch code := resp.(*kmsg.HeartbeatResponse).ErrorCode; code {
			case 14, 15, 16: // the coordinator is not there yet
				return code, nil
			}
			return 0, nil
		},
		func() (int16, error) {
			resp, err := ask(kmsg.NewPtrInitProducerIDRequest(), 1)
			if err != nil {
				return 0, err
			}
			return resp.(*kmsg.InitProducerIDResponse).ErrorCode, nil
		},
	} {
		for {
			code, err := try()
			if err != nil {
				return nil, err
			}
			if code == 0 {
				break
			}
			if time.Now().After(deadline) {
				return nil, fmt.Errorf("%s is not ready: error %d", name, code)
			}
			pause(20 * time.Millisecond)
		}
	}
	return t, nil
}

// pair is two servers: ref is taken to be right unless the table says so.
type pair struct{ ref, sub *target }

// play runs a script against a server, or looks up what one answered.
func (t *target) play(p *pair, sc *script, version int16, take int) []seen {
	if t.recorded != nil {
		return t.recorded.script(sc.name, version)
	}
	return newActor(t, p, sc, version, take).play(sc)
}

// versions are those of an API that both servers and kmsg have.
func (p *pair) versions(key int16) (oldest, newest int16, ok bool) {
	a, inA := p.ref.serves[key]
	b, inB := p.sub.serves[key]
	if !inA || !inB {
		return 0, -1, false
	}
	oldest, newest = max(a[0], b[0]), min(a[1], b[1], kmsg.RequestForKey(key).MaxVersion())
	return oldest, newest, oldest <= newest
}

func (p *pair) excludes(list []exclusion) bool {
	for _, e := range list {
		if e.target == p.ref.name || e.target == p.sub.name {
			return true
		}
	}
	return false
}
