package broker

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func files(text string) fstest.MapFS {
	return fstest.MapFS{"shop.jsonl": {Data: []byte(text)}}
}

const shop = `{"topic":"orders","partitions":2,"configs":{"retention.ms":"-1","message.timestamp.type":"LogAppendTime"},"start":{"1":5},"end":{"0":4}}
{"record":"orders","partition":0,"key":"anna","value":{"drink":"tea"},"timestamp":"2026-01-31T12:00:00Z"}
{"record":"orders","partition":0,"offset":2,"value":""}
{"record":"orders","partition":1,"key":"bob"}
{"group":"billing","topic":"orders","partition":1,"offset":6,"metadata":"by hand"}
`

func TestABrokerStartsFromAFixture(t *testing.T) {
	b := Start(t, WithMemoryNetwork(), WithTopic("own", 1, nil), WithFixture(files(shop), "shop.jsonl"))
	check := func() {
		t.Helper()
		got := b.Topic("orders").Records()
		if len(got) != 3 || got[0].Offset != 0 || got[1].Offset != 2 || got[2].Offset != 5 {
			t.Fatalf("the records are %+v", got)
		}
		if got[0].Timestamp.UTC() != time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) || string(got[0].Value) != `{"drink":"tea"}` {
			t.Errorf("the first record is %+v", got[0])
		}
		if got[1].Value == nil || got[1].Key != nil || got[2].Value != nil {
			t.Error("empty and null are not told apart")
		}
		if at := b.Committed("billing")["orders"][1]; at != 6 {
			t.Errorf("billing has committed %d", at)
		}
		if start, end := b.Topic("orders").StartOffsets(), b.Topic("orders").HighWatermarks(); start[1] != 5 || end[0] != 4 || end[1] != 6 {
			t.Errorf("the partitions go from %v to %v", start, end)
		}
	}
	check()
	if err := b.Produce("orders", Record{Value: []byte("more")}); err != nil {
		t.Fatal(err)
	}
	if got := b.Topic("orders").Records()[2]; got.Offset != 4 {
		t.Errorf("the next record got offset %d", got.Offset)
	}
	b.Reset()
	check()
	if !b.Topic("own").Exists() {
		t.Error("Reset forgot the topic of WithTopic")
	}
}

func TestAFixtureThatCannotBeLoadedNamesItsLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"record":"orders"}`, `shop.jsonl:1: there is no topic "orders" for this record: add a line such as {"topic":"orders","partitions":1}`},
		{`{"topic":"a b"}`, `shop.jsonl:1: topic "a b": `},
		{`{"topic":"there"}`, `shop.jsonl:1: topic "there" is there already`},
		{`{"topic":"a","configs":{"retention.m":"1"}}`, `shop.jsonl:1: topic "a": unknown topic config "retention.m": did you mean "retention.ms"?`},
		{`{"topic":"a","configs":{"retention.ms":"x"}}`, `shop.jsonl:1: topic "a": `},
		{"{\"topic\":\"a\"}\n{\"record\":\"a\",\"partition\":1}", `shop.jsonl:2: topic "a" has no partition 1: it has 1`},
		{"{\"topic\":\"a\",\"configs\":{\"cleanup.policy\":\"compact\"}}\n{\"record\":\"a\"}", `shop.jsonl:2: topic "a" is compacted, and the record has no key`},
		{"{\"topic\":\"a\"}\n{\"record\":\"a\"}\n{\"record\":\"a\",\"offset\":0}", `shop.jsonl:3: offset 0 is behind those before it`},
		{`{"topic":"a","start":{"1":3}}`, `shop.jsonl:1: topic "a": start: there is no partition 1`},
		{"{\"topic\":\"a\",\"end\":{\"0\":1}}\n{\"record\":\"a\",\"offset\":3}", `shop.jsonl:1: topic "a": end: partition 0 cannot end at offset 1`},
		{`{"group":"g","topic":"a","partition":0,"offset":1}`, `shop.jsonl:1: group "g": there is no topic "a"`},
		{`{"group":"g","topic":"there","partition":4,"offset":1}`, `shop.jsonl:1: group "g": topic "there" has no partition 4`},
		{`{"group":"g","topic":"there","partition":0,"offset":-1}`, `shop.jsonl:1: group "g": -1 is not an offset`},
	} {
		b, err := New(WithMemoryNetwork(), WithTopic("there", 1, nil), WithFixture(files(c.text), "shop.jsonl"))
		if err == nil {
			_ = b.Close()
			t.Errorf("%s is loaded", c.text)
		} else if !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\ngives %v\nwant  %s", c.text, err, c.want)
		}
	}
}
