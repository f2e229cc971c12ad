package broker

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync"
)

// random is the broker's only source of chance, so that a seeded broker gives
// the same ids again.
type random struct {
	mu  sync.Mutex
	src rand.ChaCha8
}

func newRandom(seed [32]byte) *random {
	r := new(random)
	r.src.Seed(seed)
	return r
}

func (r *random) uint64() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.src.Uint64()
}

// positiveInt31 is a number from 1 to 2^31-1.
func (r *random) positiveInt31() int32 {
	return int32(r.uint64()%(1<<31-1)) + 1
}

func (r *random) bytes16() (b [16]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	binary.BigEndian.PutUint64(b[:], r.src.Uint64())
	binary.BigEndian.PutUint64(b[8:], r.src.Uint64())
	return b
}

// newUUID returns 16 random bytes as Kafka makes its ids: a version 4 UUID
// that is neither zero nor one (org.apache.kafka.common.Uuid), and whose text
// does not start with '-', which would read as an option on command lines.
func (r *random) newUUID() [16]byte {
	for {
		id := r.bytes16()
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if base64.RawURLEncoding.EncodeToString(id[:1])[0] != '-' {
			return id
		}
	}
}

func (r *random) clusterID() string { return r.uuidShort() }

// uuidShort is a new UUID in 22 characters, as Kafka writes its own ids.
func (r *random) uuidShort() string {
	id := r.newUUID()
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// uuidText is a new UUID in the form 8-4-4-4-12, as in member ids.
func (r *random) uuidText() string {
	id := r.newUUID()
	var t [36]byte
	hex.Encode(t[0:8], id[0:4])
	hex.Encode(t[9:13], id[4:6])
	hex.Encode(t[14:18], id[6:8])
	hex.Encode(t[19:23], id[8:10])
	hex.Encode(t[24:], id[10:])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}
