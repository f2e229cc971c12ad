package ui

// This file owns sending a record by hand.

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

type sendView struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

func (s *site) sendForm(r *http.Request) (any, error) {
	t, err := s.cluster.one(r.Context(), r.PathValue("topic"))
	if err != nil {
		return nil, err
	}
	return sendView{*t.Topic, numbers(t)}, nil
}

func (s *site) send(r *http.Request) (string, error) {
	t, err := s.cluster.one(r.Context(), r.PathValue("topic"))
	if err != nil {
		return "", err
	}
	all := numbers(t)
	record := &kgo.Record{Topic: *t.Topic, Key: key(r), Value: value(r)}
	if record.Headers, err = headers(r.Form.Get("headers")); err != nil {
		return "", err
	}
	switch p := r.Form.Get("partition"); p {
	case "", "auto":
		// As Java's producer and most others do: by the key's murmur2 hash, or
		// anywhere without a key.
		record.Partition = all[kgo.StickyKeyPartitioner(nil).ForTopic(*t.Topic).Partition(record, len(all))]
	default:
		n, err := strconv.ParseInt(p, 10, 32)
		if err != nil || !slices.Contains(all, int32(n)) {
			return "", say(http.StatusUnprocessableEntity, "problem.partition", p)
		}
		record.Partition = int32(n)
	}
	// The client must not go on asking for a topic that may be deleted next.
	defer s.cluster.client.PurgeTopicsFromProducing(*t.Topic)
	if err := s.cluster.client.ProduceSync(r.Context(), record).FirstErr(); err != nil {
		return "", refused(err, "")
	}
	q := url.Values{"done": {"sent"}, "partition": {strconv.Itoa(int(record.Partition))}, "offset": {strconv.FormatInt(record.Offset, 10)}}
	return "/topics/" + url.PathEscape(*t.Topic) + "/send?" + q.Encode(), nil
}

// key is null when nothing was typed, unless an empty one was asked for: null
// leaves the partition to the producer, and an empty key is a key as any other.
func key(r *http.Request) []byte {
	typed := r.Form.Get("key")
	if typed == "" && r.Form.Get("key_empty") == "" {
		return nil
	}
	return []byte(typed)
}

// value is empty when nothing was typed, unless null was asked for: a null value
// is a tombstone, which deletes its key from a compacted topic.
func value(r *http.Request) []byte {
	if r.Form.Get("value_null") != "" {
		return nil
	}
	return []byte(lines(r.Form.Get("value")))
}

// lines undoes what browsers do to the ends of lines.
func lines(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// headers reads one header a line, as "name: value". A name may come again, and
// a name alone has a null value.
func headers(text string) ([]kgo.RecordHeader, error) {
	var all []kgo.RecordHeader
	for line := range strings.SplitSeq(lines(text), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if name == "" {
			return nil, say(http.StatusUnprocessableEntity, "problem.header", oneline(visible(line)))
		}
		h := kgo.RecordHeader{Key: name}
		if ok {
			h.Value = []byte(strings.TrimPrefix(value, " "))
		}
		all = append(all, h)
	}
	return all, nil
}
