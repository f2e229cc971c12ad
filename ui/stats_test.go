package ui

import (
	"encoding/json"
	"testing"
	"time"

	"minibroker/broker"
)

func TestATopicsStatisticsAreThoseOfItsMessages(t *testing.T) {
	w := open(t, broker.WithTopic("log", 2, nil))
	w.see("/topics/log/stats", 200, "no messages to count yet")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, r := range []broker.Record{{Key: []byte("a"), Value: []byte("12345")}, {Key: []byte("a"), Value: nil}, {Key: []byte("bcd"), Value: []byte("1"), Headers: []broker.Header{{Key: "h"}}}, {Value: []byte("123")}, {Partition: 1, Key: []byte("a"), Value: []byte("123")}} {
		r.Timestamp = at.Add(time.Duration(i) * time.Second)
		if err := w.b.Produce("log", r); err != nil {
			t.Fatal(err)
		}
	}
	var v statsView
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/topics/log/stats", 200)), &v); err != nil {
		t.Fatal(err)
	}
	if v.LookedAt != 5 || v.Records != 5 || v.NullKeys != 1 || v.NullValues != 1 || v.Headers != 1 || v.Distinct != 2 || v.PerSecond() != 1 ||
		v.Keys.Least != 1 || v.Keys.Most != 3 || v.Keys.Average != 1.5 || v.Values.Average != 3 || v.Parts[0].Messages != 4 || v.Parts[0].Keys != 2 || v.Parts[1].Messages != 1 {
		t.Errorf("the statistics are %+v", v)
	}
	if k := v.Common[0]; k.Key.Text != "a" || k.Messages != 3 || len(k.Partitions) != 2 {
		t.Errorf("the commonest key is %+v", k)
	}
	w.see("/topics/log/stats", 200, "From the newest 5 messages", "1.0/s")
	w.see("/topics/nope/stats", 404)
}
