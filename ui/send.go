package ui

// This file owns sending records by hand.

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type sendView struct {
	Topic      string  `json:"topic"`
	Partitions []int32 `json:"partitions"`
}

// mostCopies is how many records one form sends, as copies or as lines.
const mostCopies = 100_000

// sendForm is empty, or filled in with the record that "again" names.
func (s *site) sendForm(r *http.Request) (any, error) {
	if p, o, ok := strings.Cut(r.Form.Get("again"), ":"); ok && r.Method == http.MethodGet {
		_, record, _, err := s.recordAt(r, p, o)
		if err != nil {
			return nil, err
		}
		fillIn(r.Form, record)
	}
	t, err := s.cluster.one(r.Context(), r.PathValue("topic"))
	if err != nil {
		return nil, err
	}
	return sendView{*t.Topic, numbers(t)}, nil
}

// fillIn puts a record into the form's fields, as far as they are text.
func fillIn(f url.Values, record *kgo.Record) {
	f.Set("key", string(record.Key))
	if record.Key != nil && len(record.Key) == 0 {
		f.Set("key_empty", "1")
	}
	f.Set("value", string(record.Value))
	if record.Value == nil {
		f.Set("value_null", "1")
	}
	f.Set("partition", strconv.Itoa(int(record.Partition)))
	var text strings.Builder
	for _, h := range record.Headers {
		text.WriteString(h.Key)
		if h.Value != nil {
			text.WriteString(": " + string(h.Value))
		}
		text.WriteByte('\n')
	}
	f.Set("headers", text.String())
}

// send writes one record, copies of it, or a file with one record a line.
func (s *site) send(r *http.Request) (string, error) {
	t, err := s.cluster.one(r.Context(), r.PathValue("topic"))
	if err != nil {
		return "", err
	}
	var records []*kgo.Record
	if file := uploaded(r); file != nil {
		records, err = linesOf(file)
	} else {
		records, err = typed(r)
	}
	if err != nil {
		return "", err
	}
	return s.produce(r.Context(), t, records)
}

// produce writes records, each to its partition, or where its key belongs if
// that is -1.
func (s *site) produce(ctx context.Context, t *kmsg.MetadataResponseTopic, records []*kgo.Record) (string, error) {
	all := numbers(t)
	// As Java's producer and most others do: by the key's murmur2 hash, or
	// anywhere without a key.
	byKey := kgo.StickyKeyPartitioner(nil).ForTopic(*t.Topic)
	for _, record := range records {
		record.Topic = *t.Topic
		if record.Partition < 0 {
			record.Partition = all[byKey.Partition(record, len(all))]
		}
		if !slices.Contains(all, record.Partition) {
			return "", say(http.StatusUnprocessableEntity, "problem.partition", strconv.Itoa(int(record.Partition)))
		}
	}
	// The client must not go on asking for a topic that may be deleted next.
	defer s.cluster.client.PurgeTopicsFromProducing(*t.Topic)
	if err := s.cluster.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return "", refused(err, "")
	}
	q := url.Values{"done": {"sent.many"}, "count": {strconv.Itoa(len(records))}}
	if len(records) == 1 {
		q = url.Values{"done": {"sent"}, "partition": {strconv.Itoa(int(records[0].Partition))}, "offset": {strconv.FormatInt(records[0].Offset, 10)}}
	}
	return "/topics/" + url.PathEscape(*t.Topic) + "/send?" + q.Encode(), nil
}

// typed is what the form's fields describe.
func typed(r *http.Request) ([]*kgo.Record, error) {
	record := kgo.Record{Key: key(r), Value: value(r), Partition: -1}
	var err error
	if record.Headers, err = headers(r.Form.Get("headers")); err != nil {
		return nil, err
	}
	if p := strings.TrimSpace(r.Form.Get("partition")); p != "" && p != "auto" {
		n, err := strconv.ParseUint(p, 10, 31)
		if err != nil {
			return nil, say(http.StatusUnprocessableEntity, "problem.partition", p)
		}
		record.Partition = int32(n)
	}
	copies := 1
	if text := strings.TrimSpace(r.Form.Get("copies")); text != "" {
		if copies, err = strconv.Atoi(text); err != nil || copies < 1 || copies > mostCopies {
			return nil, say(http.StatusUnprocessableEntity, "problem.copies", mostCopies)
		}
	}
	if copies*(len(record.Key)+len(record.Value)) > 256<<20 {
		return nil, say(http.StatusRequestEntityTooLarge, "problem.form.large")
	}
	records := make([]*kgo.Record, copies)
	for i := range records {
		one := record
		records[i] = &one
	}
	return records, nil
}

// uploaded is the file of a form, nil if there is none.
func uploaded(r *http.Request) []byte {
	if r.MultipartForm == nil {
		return nil
	}
	for _, f := range r.MultipartForm.File["file"] {
		if f.Size > 0 {
			if opened, err := f.Open(); err == nil {
				defer opened.Close()
				if raw, err := io.ReadAll(opened); err == nil {
					return raw
				}
			}
		}
	}
	return nil
}

// linesOf reads a file of records, one JSON object a line, as export writes it.
func linesOf(file []byte) ([]*kgo.Record, error) {
	var records []*kgo.Record
	number := 0
	for raw := range bytes.Lines(file) {
		number++
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			continue
		}
		var l struct {
			line
			Value json.RawMessage `json:"value"`
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		if err := d.Decode(&l); err != nil {
			return nil, &problem{status: http.StatusUnprocessableEntity, Key: "problem.line", Args: []any{number}, Detail: oneline(visible(err.Error()))}
		}
		record := &kgo.Record{Partition: -1, Key: bytesOr(l.Key, l.KeyBase64), Value: l.ValueBase64}
		if l.Partition != nil {
			record.Partition = *l.Partition
		}
		var text string
		switch {
		case l.Value == nil || string(l.Value) == "null":
		case json.Unmarshal(l.Value, &text) == nil:
			record.Value = []byte(text)
		default: // an object or a number stands for its own JSON
			record.Value = l.Value
		}
		for _, h := range l.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: bytesOr(h.Value, h.ValueBase64)})
		}
		if records = append(records, record); len(records) > mostCopies {
			return nil, say(http.StatusUnprocessableEntity, "problem.copies", mostCopies)
		}
	}
	if len(records) == 0 {
		return nil, say(http.StatusUnprocessableEntity, "problem.file")
	}
	return records, nil
}

func bytesOr(text *string, other []byte) []byte {
	if text != nil {
		return []byte(*text)
	}
	return other
}

// again writes a record once more, byte for byte, to the same partition.
func (s *site) again(r *http.Request) (string, error) {
	t, record, _, err := s.recordAt(r, r.PathValue("partition"), r.PathValue("offset"))
	if err != nil {
		return "", err
	}
	if record.Attrs.IsControl() {
		return "", say(http.StatusUnprocessableEntity, "problem.control")
	}
	return s.produce(r.Context(), t, []*kgo.Record{{Key: record.Key, Value: record.Value, Headers: record.Headers, Partition: record.Partition}})
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
