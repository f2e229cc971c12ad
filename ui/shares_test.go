package ui

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
)

// flights are the records in flight of a group's page, as text.
func (w *browser) flights(group string) string {
	w.t.Helper()
	var v groupView
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/groups/"+group, 200)), &v); err != nil {
		w.t.Fatal(err)
	}
	var runs []string
	for _, s := range v.Shares {
		for _, r := range s.Runs {
			runs = append(runs, fmt.Sprintf("%d-%d %s %d %s", r.First, r.Last, r.State, r.Deliveries, r.Client))
			if r.Until.IsZero() == (r.Client != "") {
				w.t.Errorf("%+v has the wrong end", r)
			}
		}
	}
	return strings.Join(runs, ", ")
}

func TestAShareGroupsPageShowsWhoHasWhichRecords(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	w.see("/", 200)
	c := w.client()
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeGroupConfig, ResourceName: "workers",
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "share.auto.offset.reset", Value: kmsg.StringPtr("earliest")}}}}
	if _, err := alter.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if err := c.ProduceSync(t.Context(), record("log", "k", fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	worker := w.client(kgo.ShareGroup("workers"), kgo.ConsumeTopics("log"), kgo.ClientID("worker<1>"))
	got := 0
	for got < 6 {
		worker.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
			got++
			switch r.Offset {
			case 0:
				r.Ack(kgo.AckRelease)
			case 1:
				r.Ack(kgo.AckAccept)
			case 2:
				r.Ack(kgo.AckReject)
			default:
				r.Ack(kgo.AckRenew) // it keeps them
			}
		})
	}
	if err := worker.FlushAcks(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What was released is fetched again at once.
	want := "0-0 Acquired 2 worker<1>, 1-1 Acknowledged 1 , 2-2 Archived 1 , "
	if err := w.b.WaitFor(t.Context(), "the released record to be fetched again", func() bool { return strings.HasPrefix(w.flights("workers"), want) }); err != nil {
		t.Fatal(err, w.flights("workers"))
	}
	w.see("/groups/workers", 200, "Records in flight", `class="cell share-Acquired" href="/topics/log/p/0/o/0" title="0">2</a>`, "worker&lt;1&gt;", "acquired: a member has it", "1 records were given up", "1 records in flight were delivered more than once")
	w.see("/groups", 200, `<td class="num">4</td></tr>`) // the lag: what is not done

	w.see("/api/v1/pages/topics", 200, `"groups":1,"lag":4`)
	w.see("/api/v1/pages/topics/log", 200, `"group":"workers","state":"Stable","lag":4`)

	// Another cluster tells what its coordinators stored.
	seed, err := connect([]string{w.b.Bootstrap()}, kgo.Dialer(w.b.Dialer()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(seed.close)
	far := &browser{t: t, b: w.b, pages: newSite(seed, nil, Options{}, t.Context()).pages(), headers: map[string]string{}}
	if got := far.flights("workers"); !strings.HasPrefix(got, "0-0 Available 1 , 1-1 Acknowledged 1 , 2-2 Archived 1 ") {
		t.Errorf("from afar the group has %q", got)
	}
	far.see("/groups/workers", 200, "what this cluster has stored", "archived")
}
