package ui

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"minibroker/broker"
)

func TestATopicGrowsAndIsPurgedClonedAndRecreated(t *testing.T) {
	w := open(t, broker.WithTopic("log", 2, map[string]string{"retention.ms": "1234567"}))
	for i := range 6 {
		if err := w.b.Produce("log", broker.Record{Partition: int32(i % 2), Key: []byte{byte(i)}, Value: []byte("v"), Headers: []broker.Header{{Key: "h", Value: []byte("1")}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.see("/topics/log/manage", 200, "Add partitions", "with its 6 messages")
	w.refuse("/topics/log/partitions", url.Values{"partitions": {"2"}}, 422, "must be 1 or more", "INVALID_PARTITIONS")
	w.submit("/topics/log/partitions", url.Values{"partitions": {"3"}}, "/topics/log?done=topic.grown")
	if n := len(w.b.Topic("log").HighWatermarks()); n != 3 {
		t.Errorf("the topic has %d partitions, want 3", n)
	}

	w.refuse("/topics/log/clone", url.Values{"to": {"log"}}, 409, "A topic of this name exists")
	w.submit("/topics/log/clone", url.Values{"to": {"empty"}}, "/topics/empty?done=topic.cloned")
	w.submit("/topics/log/clone", url.Values{"to": {"full"}, "messages": {"1"}}, "/topics/full?done=topic.cloned")
	original, copied := w.b.Topic("log").Records(), w.b.Topic("full").Records()
	if len(copied) != 6 || w.b.Topic("empty").Len() != 0 {
		t.Fatalf("the clones have %d and %d messages, want 6 and none", len(copied), w.b.Topic("empty").Len())
	}
	for i, r := range copied {
		o := original[i]
		if r.Partition != o.Partition || string(r.Key) != string(o.Key) || !r.Timestamp.Equal(o.Timestamp) || len(r.Headers) != 1 {
			t.Errorf("message %d of the clone is %+v, want %+v", i, r, o)
		}
	}
	w.see("/topics/full/config?q=retention.ms", 200, `value="1234567"`)

	w.refuse("/topics/log/purge", url.Values{"name": {"lo"}}, 422, "The name typed is not “log”")
	w.refuse("/topics/log/purge", url.Values{"name": {"log"}, "partition": {"7"}}, 422, "no partition “7”")
	w.submit("/topics/log/purge", url.Values{"name": {"log"}, "partition": {"1"}}, "/topics/log?done=topic.purged")
	if n := w.b.Topic("log").Len(); n != 3 {
		t.Errorf("%d messages are left after partition 1 was purged, want 3", n)
	}
	w.submit("/topics/log/purge", url.Values{"name": {"log"}}, "/topics/log?done=topic.purged")
	if n := w.b.Topic("log").Len(); n != 0 {
		t.Errorf("%d messages are left after the purge", n)
	}

	w.refuse("/topics/log/recreate", url.Values{"name": {""}}, 422, "The name typed is not “log”")
	w.submit("/topics/log/recreate", url.Values{"name": {"log"}}, "/topics/log?done=topic.recreated")
	if got := w.b.Topic("log").StartOffsets(); len(got) != 3 || got[0] != 0 {
		t.Errorf("the topic created anew starts at %v, want three times 0", got)
	}
	w.see("/topics/log/config?q=retention.ms", 200, `value="1234567"`)
}

func TestActiveProducersAreShown(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	w.see("/topics/log", 200, "No idempotent or transactional producer")
	c := w.client() // idempotent, as most clients are
	if err := c.ProduceSync(context.Background(), record("log", "k", "v")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	told, err := kadm.NewClient(c).DescribeProducers(context.Background(), kadm.TopicsSet{"log": {0: {}}})
	if err != nil || len(told.SortedProducers()) != 1 {
		t.Fatalf("the broker tells %v (%v)", told, err)
	}
	var v topicView
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/topics/log", 200)), &v); err != nil {
		t.Fatal(err)
	}
	if p := told.SortedProducers()[0]; len(v.Producers) != 1 || v.Producers[0].Client != "kgo" || v.Producers[0].Host == "" || v.Producers[0].ID != p.ProducerID || v.Producers[0].Sequence != p.LastSequence {
		t.Errorf("the page shows %+v, the broker tells %+v", v.Producers, p)
	}
}

// upload sends a form with a file.
func (w *browser) upload(path string, fields map[string]string, file string) *httptest.ResponseRecorder {
	w.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := m.WriteField(name, value); err != nil {
			w.t.Fatal(err)
		}
	}
	part, err := m.CreateFormFile("file", "messages.jsonl")
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "http://localhost:7080"+path, &body)
	r.Header.Set("Content-Type", m.FormDataContentType())
	out := httptest.NewRecorder()
	w.pages.ServeHTTP(out, r)
	return out
}

func TestMessagesAreSentInNumbersFromFilesAndAgain(t *testing.T) {
	w := open(t, broker.WithTopic("log", 2, nil), broker.WithTopic("copy", 2, nil))
	w.submit("/topics/log/send", url.Values{"key": {"k"}, "value": {"v"}, "copies": {"5"}, "partition": {"1"}}, "/topics/log/send?count=5&done=sent.many")
	if n := w.b.Topic("log").HighWatermarks()[1]; n != 5 {
		t.Errorf("partition 1 has %d messages, want 5 copies", n)
	}
	w.refuse("/topics/log/send", url.Values{"copies": {"0"}}, 422, "between 1 and 100000")

	out := w.upload("/topics/log/send", nil, `{"key":"a","value":"x","headers":[{"key":"h","value":"1"},{"key":"h","value":null},{"key":"h","value":""}],"partition":0}

{"key":null,"value":null,"partition":0}
{"key":"","value":{"n": 1},"partition":0}
{"key_base64":"/wA=","value_base64":"/w==","partition":0}
`)
	if out.Code != http.StatusSeeOther {
		t.Fatalf("the file was answered %d: %s", out.Code, out.Body)
	}
	got := w.b.Topic("log").Records()[:4]
	if r := got[0]; string(r.Key) != "a" || string(r.Value) != "x" || len(r.Headers) != 3 || r.Headers[1].Value != nil || r.Headers[2].Value == nil {
		t.Errorf("the first line became %+v", r)
	}
	if got[1].Key != nil || got[1].Value != nil || got[2].Key == nil || string(got[2].Value) != `{"n": 1}` || string(got[3].Key) != "\xff\x00" || string(got[3].Value) != "\xff" {
		t.Errorf("the lines became %+v", got[1:])
	}
	if out := w.upload("/topics/log/send", nil, "{\"key\":1}\n"); out.Code != 422 || !strings.Contains(out.Body.String(), "Line 1 of the file") {
		t.Errorf("a bad line was answered %d: %s", out.Code, out.Body)
	}

	w.see("/topics/log/send?again=0:0", 200, `value="a"`, ">x</textarea>", "h: 1\nh\nh: \n")
	w.submit("/topics/log/p/0/o/3/again", nil, "/topics/log/send?done=sent&offset=4&partition=0")
	if r := w.b.Topic("log").Records()[4]; string(r.Key) != "\xff\x00" || string(r.Value) != "\xff" {
		t.Errorf("sent again, the message is %+v", r)
	}

	// What is exported can be sent, and is the same.
	lines := w.see("/topics/log/export?format=jsonl&mode=earliest", 200)
	if n := strings.Count(lines, "\n"); n != 10 {
		t.Fatalf("%d lines were exported, want 10: %s", n, lines)
	}
	if out := w.upload("/topics/copy/send", nil, lines); out.Code != http.StatusSeeOther {
		t.Fatalf("the export was answered %d: %s", out.Code, out.Body)
	}
	for i, r := range w.b.Topic("copy").Records() {
		o := w.b.Topic("log").Records()[i]
		if string(r.Key) != string(o.Key) || (r.Key == nil) != (o.Key == nil) || string(r.Value) != string(o.Value) || (r.Value == nil) != (o.Value == nil) || len(r.Headers) != len(o.Headers) {
			t.Errorf("message %d is %+v after export and upload, was %+v", i, r, o)
		}
	}
	w.see("/topics/log/export?format=csv&mode=earliest", 200, "topic,partition,offset,time,key,value,headers\n", "base64:/w==")
	w.see("/topics/log/export?format=python&mode=earliest&partition=1", 200, `TopicPartition("log", 1)`, "seek_to_beginning")
	w.see("/topics/log/export?format=exe", 422)
	w.see("/topics/log/p/0/o/3", 200, "none", "CRC-32C", "right", "consumer.seek(partition, 3)")
}

func TestACellIsNoFormula(t *testing.T) {
	for in, want := range map[string]string{"=1+1": "'=1+1", "-3": "-3", "@x": "'@x", "a": "a", "+49 30": "'+49 30", "": ""} {
		if got := cell([]byte(in)); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestAFilterChoosesMessages(t *testing.T) {
	w := open(t, broker.WithTopic("log", 3, nil))
	for i, value := range []string{`{"price": 12, "name": "book"}`, `{"price": 7}`, `plain`, `{"name": "none"}`} {
		if err := w.b.Produce("log", broker.Record{Partition: int32(i % 3), Key: []byte("k"), Value: []byte(value), Headers: []broker.Header{{Key: "source", Value: []byte("web")}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.b.Produce("log", broker.Record{Key: nil, Value: nil}); err != nil {
		t.Fatal(err)
	}
	for expression, want := range map[string]int{
		"value.price > 10": 1, "has(value.price) && value.price < 10": 1, `value == "plain"`: 1, `headers["source"] == "web"`: 4, "key == null": 1,
		"partition == 0 && offset == 0": 1, `time > timestamp("2020-01-01T00:00:00Z")`: 5, `headers.source.startsWith("w") && size > 1`: 4,
	} {
		var v messagesView
		if err := json.Unmarshal([]byte(w.see("/api/v1/pages/topics/log/messages?filter="+url.QueryEscape(expression), 200)), &v); err != nil {
			t.Fatal(err)
		}
		if len(v.Messages) != want {
			t.Errorf("%s finds %d messages, want %d (%d failed: %s)", expression, len(v.Messages), want, v.Failed, fmt.Sprint(v.Failures))
		}
	}
	w.see("/topics/log/messages?filter="+url.QueryEscape("value.price > 10"), 200, "could not judge 3 messages", "no such key")
	w.see("/topics/log/messages?filter="+url.QueryEscape("value.("), 422, "is not an expression of CEL", `value="value.("`)
	w.see("/topics/log/messages?filter=1", 422, "it is a int")
	w.see("/topics/log/messages?filter="+url.QueryEscape(strings.Repeat("(", 10001)), 422)
	w.see("/topics/log/messages?filter="+url.QueryEscape(strings.Repeat("[1,2,3,4,5,6,7,8,9].map(a, ", 12)+"[1]"+strings.Repeat(")", 12)+" == []"), 200, "could not judge")
	// Several partitions at once.
	var v messagesView
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/topics/log/messages?partition=0,2", 200)), &v); err != nil || len(v.Messages) != 4 {
		t.Errorf("partitions 0 and 2 have %d messages (%v), want 4", len(v.Messages), err)
	}
	w.see("/topics/log/messages?partition=0,9", 422, "no partition “9”")
}

func TestTheTailShowsMessagesAsTheyCome(t *testing.T) {
	w := open(t, broker.WithTopic("log", 2, nil))
	server := httptest.NewServer(w.pages)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/topics/log/tail?filter="+url.QueryEscape(`key == "yes"`), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatalf("the tail is %s", kind)
	}
	for i, key := range []string{"no", "yes"} {
		if err := w.b.Produce("log", broker.Record{Partition: int32(i), Key: []byte(key), Value: []byte("<b>" + key)}); err != nil {
			t.Fatal(err)
		}
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if text := lines.Text(); strings.Contains(text, "&lt;b&gt;yes") {
			return
		} else if strings.Contains(text, "&lt;b&gt;no") {
			t.Fatalf("the tail shows what its filter leaves out: %s", text)
		}
	}
	t.Fatalf("the tail ended: %v", lines.Err())
}

func TestAGroupForgetsATopicAndShowsItsLagOverTime(t *testing.T) {
	w := open(t, broker.WithTopic("log", 2, nil), broker.WithTopic("other", 1, nil))
	if err := w.b.Produce("log", broker.Record{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	o := kadm.Offsets{}
	o.AddOffset("log", 0, 0, -1)
	o.AddOffset("log", 1, 0, -1)
	o.AddOffset("other", 0, 0, -1)
	if _, err := kadm.NewClient(w.client()).CommitOffsets(context.Background(), "g", o); err != nil {
		t.Fatal(err)
	}
	w.see("/groups/g", 200, "Lag by topic", `&#34;names&#34;:[&#34;log&#34;,&#34;other&#34;]`, "[1],[0]")
	w.see("/groups/g/delete", 200, "Forget a topic")
	w.refuse("/groups/g/forget", url.Values{"topic": {"log"}, "name": {"other"}}, 422, "The name typed is not “log”")
	w.submit("/groups/g/forget", url.Values{"topic": {"log"}, "name": {"log"}}, "/groups/g?done=group.forgot")
	if left := w.b.Committed("g"); len(left["log"]) != 0 || len(left["other"]) != 1 {
		t.Errorf("the group still has %v, want only its offset of other", left)
	}
	w.refuse("/groups/g/forget", url.Values{"topic": {"log"}, "name": {"log"}}, 422, "has no offsets of this topic")
}

func TestGraphsRememberTheNewestAndShowRates(t *testing.T) {
	var h history
	start := time.Unix(1000, 0)
	for i := range historyPoints + 10 {
		h.note("lag", start.Add(time.Duration(i)*time.Second), map[string]float64{"a": float64(i)})
	}
	g := h.note("lag", start.Add((historyPoints+9)*time.Second+time.Millisecond), map[string]float64{"a": -1})
	if len(g.Times) != historyPoints || *g.Values[0][historyPoints-1] != historyPoints+9 {
		t.Errorf("the graph has %d points and ends with %v", len(g.Times), *g.Values[0][len(g.Times)-1])
	}
	h.add("bytes", start, map[string]float64{"in": 100, "out": 0})
	h.add("bytes", start.Add(2*time.Second), map[string]float64{"in": 300, "out": 4, "new": 1000})
	g = h.rate("bytes")
	if len(g.Times) != 1 || len(g.Names) != 2 || *g.Values[0][0] != 100 || *g.Values[1][0] != 2 {
		t.Errorf("the rates are %+v", g)
	}
	for i := range 3 * historyKeys {
		h.note(fmt.Sprint(i), start, nil)
	}
	if len(h.all) > historyKeys {
		t.Errorf("%d graphs are remembered", len(h.all))
	}
}
