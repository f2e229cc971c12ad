package protocol

import "github.com/twmb/franz-go/pkg/kmsg"

// This file reads OffsetCommit, whose every request is another one, in the way
// of decode.go.

// CommitDecoder reads OffsetCommit requests. Each is valid until the next. It
// aliases no frame.
type CommitDecoder struct {
	req        kmsg.OffsetCommitRequest
	partitions []kmsg.OffsetCommitRequestTopicPartition // of all topics
}

// Decode reads a request's body; nil: it is not as usual.
func (c *CommitDecoder) Decode(version int16, body []byte) *kmsg.OffsetCommitRequest {
	d := decoder{b: body, flexible: version >= 8}
	r := &c.req
	group, member, instance := r.Group, r.MemberID, r.InstanceID
	*r = kmsg.OffsetCommitRequest{Version: version, Topics: r.Topics[:0]}
	r.Default()
	c.partitions = c.partitions[:0]
	r.Group = d.string(group)
	if version >= 1 {
		r.Generation = d.int32()
		r.MemberID = d.string(member)
	}
	if version >= 7 {
		r.InstanceID = d.nullable(instance)
	}
	if version >= 2 && version <= 4 {
		r.RetentionTimeMillis = d.int64()
	}
	for range d.size() {
		var t *kmsg.OffsetCommitRequestTopic
		r.Topics, t = next(r.Topics)
		name := t.Topic
		*t = kmsg.OffsetCommitRequestTopic{}
		t.Topic, t.TopicID = d.topic(version >= 10, name)
		first := len(c.partitions)
		for range d.size() {
			if d.odd {
				return nil
			}
			var p *kmsg.OffsetCommitRequestTopicPartition
			c.partitions, p = next(c.partitions)
			d.commitPartition(version, p)
		}
		t.Partitions = c.partitions[first:len(c.partitions):len(c.partitions)]
		d.noTags()
		if d.odd {
			return nil
		}
	}
	d.noTags()
	if d.odd {
		return nil
	}
	return r
}

func (d *decoder) commitPartition(version int16, p *kmsg.OffsetCommitRequestTopicPartition) {
	metadata := p.Metadata
	*p = kmsg.OffsetCommitRequestTopicPartition{}
	p.Default()
	p.Partition = d.int32()
	p.Offset = d.int64()
	if version == 1 {
		p.Timestamp = d.int64()
	}
	if version >= 6 {
		p.LeaderEpoch = d.int32()
	}
	p.Metadata = d.nullable(metadata)
	d.noTags()
}

// nullable is a string that may be null. If it is the same as before, no memory
// is needed.
func (d *decoder) nullable(before *string) *string {
	null := d.flexible && len(d.b) > 0 && d.b[0] == 0
	if !d.flexible {
		null = len(d.b) > 1 && d.b[0] == 0xff && d.b[1] == 0xff
	}
	switch {
	case null && d.flexible:
		d.take(1)
		return nil
	case null:
		d.take(2)
		return nil
	case before == nil:
		return kmsg.StringPtr(d.string(""))
	}
	if s := d.string(*before); s != *before {
		return &s
	}
	return before
}

// Forget lets go of what only a rare request needs.
func (c *CommitDecoder) Forget() {
	if cap(c.partitions) > maxKept {
		*c = CommitDecoder{}
	}
}
