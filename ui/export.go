package ui

// This file owns taking messages along: as JSON lines, as CSV, or as a Python
// program that reads them again.

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// exportMost is how many messages one file holds.
const exportMost = 10_000

// exportFormats are the kinds of files.
var exportFormats = []string{"jsonl", "csv", "python"}

// line is a message as a line of JSON: what export writes and send reads.
// Bytes that are no text are given in base64.
type line struct {
	Topic       string       `json:"topic,omitempty"`
	Partition   *int32       `json:"partition,omitempty"`
	Offset      *int64       `json:"offset,omitempty"`
	Time        *time.Time   `json:"time,omitempty"`
	Key         *string      `json:"key"`
	KeyBase64   []byte       `json:"key_base64,omitempty"`
	Value       *string      `json:"value"`
	ValueBase64 []byte       `json:"value_base64,omitempty"`
	Headers     []lineHeader `json:"headers,omitempty"`
}

type lineHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`
}

// textOr gives bytes as a text, or as bytes where they are none.
func textOr(b []byte) (*string, []byte) {
	if b == nil {
		return nil, nil
	}
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	return nil, b
}

func lineOf(r *kgo.Record) line {
	at := r.Timestamp.UTC()
	l := line{Topic: r.Topic, Partition: &r.Partition, Offset: &r.Offset, Time: &at}
	l.Key, l.KeyBase64 = textOr(r.Key)
	l.Value, l.ValueBase64 = textOr(r.Value)
	for _, h := range r.Headers {
		lh := lineHeader{Key: h.Key}
		lh.Value, lh.ValueBase64 = textOr(h.Value)
		l.Headers = append(l.Headers, lh)
	}
	return l
}

// export answers with a file of the messages that the page's query finds.
func (s *site) export(w http.ResponseWriter, r *http.Request) {
	r, cancel, err := prepare(w, r)
	defer cancel()
	var body []byte
	format := r.Form.Get("format")
	var v messagesView
	if err == nil && !slices.Contains(exportFormats, format) {
		err = say(http.StatusUnprocessableEntity, "problem.form")
	}
	if err == nil {
		v, body, err = s.exported(r, format)
	}
	if err != nil {
		s.write(w, r, "problem", nil, err)
		return
	}
	names := map[string]string{"jsonl": ".jsonl", "csv": ".csv", "python": ".py"}
	types := map[string]string{"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8", "python": "text/x-python; charset=utf-8"}
	w.Header().Set("Content-Type", types[format])
	// A topic's name has no quotes or spaces.
	w.Header().Set("Content-Disposition", `attachment; filename="`+v.Topic+names[format]+`"`)
	send(w, r, http.StatusOK, body)
}

func (s *site) exported(r *http.Request, format string) (messagesView, []byte, error) {
	v, f, err := s.query(r)
	if err != nil {
		return v, nil, err
	}
	if format == "python" {
		return v, []byte(python(v, s.ways(r)[0])), nil
	}
	v.Limit = exportMost
	records, err := s.find(r, &v, f)
	if err != nil {
		return v, nil, err
	}
	var out bytes.Buffer
	if format == "jsonl" {
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		for _, record := range records {
			if err := e.Encode(lineOf(record)); err != nil {
				return v, nil, err
			}
		}
		return v, out.Bytes(), nil
	}
	c := csv.NewWriter(&out)
	_ = c.Write([]string{"topic", "partition", "offset", "time", "key", "value", "headers"})
	for _, record := range records {
		headers, err := json.Marshal(lineOf(record).Headers)
		if err != nil {
			return v, nil, err
		}
		_ = c.Write([]string{record.Topic, strconv.Itoa(int(record.Partition)), strconv.FormatInt(record.Offset, 10),
			record.Timestamp.UTC().Format(time.RFC3339Nano), cell(record.Key), cell(record.Value), string(headers)})
	}
	c.Flush() // a buffer takes all
	return v, out.Bytes(), nil
}

// cell is a key or value in a table: text, or base64 of other bytes. A text
// that a spreadsheet would take for a formula gets an apostrophe.
func cell(b []byte) string {
	if !utf8.Valid(b) {
		return "base64:" + base64.StdEncoding.EncodeToString(b)
	}
	s := string(b)
	if _, err := strconv.ParseFloat(s, 64); err != nil && s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// python is a program that reads what the page shows.
func python(v messagesView, w way) string {
	var p strings.Builder
	fmt.Fprintf(&p, "# pip install kafka-python\n%sfrom kafka import KafkaConsumer, TopicPartition\n\nconsumer = KafkaConsumer(%s)\n", w.fetch(), w.python())
	var parts []string
	for _, n := range v.chosen {
		parts = append(parts, fmt.Sprintf("TopicPartition(%q, %d)", v.Topic, n))
	}
	fmt.Fprintf(&p, "partitions = [%s]\nconsumer.assign(partitions)\nends = consumer.end_offsets(partitions)\n", strings.Join(parts, ", "))
	seek := "    consumer.seek_to_beginning(p)\n"
	switch v.Mode {
	case "latest":
		seek = fmt.Sprintf("    consumer.seek(p, max(0, ends[p] - %d))\n", v.Limit)
	case "from-offset":
		seek = fmt.Sprintf("    consumer.seek(p, %s)\n", v.Offset)
	case "tail":
		seek = "    consumer.seek_to_end(p)\n"
	case "from-time":
		fmt.Fprintf(&p, "found = consumer.offsets_for_times({p: %d for p in partitions})\n", v.at.UnixMilli())
		seek = "    consumer.seek(p, found[p].offset if found[p] else ends[p])\n"
	case "to-offset":
		fmt.Fprintf(&p, "ends = {p: min(ends[p], %s + 1) for p in partitions}\n", v.Offset)
	case "to-time":
		fmt.Fprintf(&p, "found = consumer.offsets_for_times({p: %d for p in partitions})\nends = {p: found[p].offset if found[p] else ends[p] for p in partitions}\n", v.at.UnixMilli()+1)
	}
	fmt.Fprintf(&p, "for p in partitions:\n%s", seek)
	if v.Mode == "tail" {
		p.WriteString("for r in consumer:\n    print(r.partition, r.offset, r.key, r.value, r.headers)\n")
		return p.String()
	}
	p.WriteString(`while any(consumer.position(p) < ends[p] for p in partitions):
    for p, records in consumer.poll(timeout_ms=1000).items():
        for r in records:
            if r.offset < ends[p]:
                print(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
`)
	return p.String()
}

// pythonOne is a program that reads one record.
func pythonOne(topic string, r *kgo.Record, w way) string {
	return fmt.Sprintf(`# pip install kafka-python
%sfrom kafka import KafkaConsumer, TopicPartition

consumer = KafkaConsumer(%s)
partition = TopicPartition(%q, %d)
consumer.assign([partition])
consumer.seek(partition, %d)
record = next(consumer)
print(record.offset, record.timestamp, record.key, record.value, record.headers)
`, w.fetch(), w.python(), topic, r.Partition, r.Offset)
}
