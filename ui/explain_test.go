package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"minibroker/broker"
)

// keys are what a group's findings are about.
func keysOf(all []finding) (keys []string) {
	for _, f := range all {
		keys = append(keys, f.Key)
	}
	return keys
}

func TestAGroupIsExplained(t *testing.T) {
	member := func(client string, heard float64, partitions ...int32) memberRow {
		m := memberRow{Client: client, Heard: heard}
		if len(partitions) > 0 {
			m.Assigned = []assigned{{"log", partitions}}
		}
		return m
	}
	rising := func() *graph {
		a, b, c := 0.0, 40.0, 100.0
		return &graph{Names: []string{"log"}, Times: []float64{0, 5, 10}, Values: [][]*float64{{&a, &b, &c}}}
	}
	for _, c := range []struct {
		why  string
		g    groupView
		want []string
	}{
		{"a rebalance", groupView{State: "PreparingRebalance"}, []string{"rebalance"}},
		{"nobody reads", groupView{State: "Empty", Lag: 3}, []string{"empty"}},
		{"nothing to say", groupView{State: "Empty"}, nil},
		{"one too many", groupView{State: "Stable", Members: []memberRow{member("a", 1, 0), member("b", 1)}}, []string{"idle"}},
		{"a share group's members share", groupView{Kind: shareKind, State: "Stable", Members: []memberRow{member("a", 1, 0), member("b", 1)}}, nil},
		{"a silent member", groupView{State: "Stable", Members: []memberRow{member("a", 31, 0)}}, []string{"silent"}},
		{"another topic now", groupView{State: "Stable", Lag: 5, Members: []memberRow{member("a", 1, 0)}, Offsets: []offsetRow{{Topic: "old", Committed: 0, End: 5, Lag: 5}}}, []string{"unread"}},
		{"no commit yet", groupView{State: "Stable", Members: []memberRow{member("a", 1, 0)}, Offsets: []offsetRow{{Topic: "log", Committed: -1, End: 5, Lag: -1, Member: "a"}}}, []string{"uncommitted"}},
		{"deleted before", groupView{State: "Stable", Lag: 2, Members: []memberRow{member("a", 1, 0)}, Offsets: []offsetRow{{Topic: "log", Committed: 1, Start: 3, End: 5, Lag: 4, Member: "a"}}}, []string{"lost"}},
		{"all read", groupView{State: "Stable", Members: []memberRow{member("a", 1, 0)}, Offsets: []offsetRow{{Topic: "log", Committed: 5, End: 5, Member: "a"}}}, []string{"caught.up"}},
		{"slower than producers", groupView{State: "Stable", Lag: 100, History: rising(), Members: []memberRow{member("a", 1, 0)}, Offsets: []offsetRow{{Topic: "log", Committed: 5, End: 105, Lag: 100, Member: "a"}}}, []string{"growing"}},
		{"one partition behind", groupView{State: "Stable", Lag: 21, Members: []memberRow{member("a", 1, 0, 1)}, Offsets: []offsetRow{{Topic: "log", Committed: 0, End: 20, Lag: 20, Member: "a"}, {Topic: "log", Partition: 1, Committed: 0, End: 1, Lag: 1, Member: "a"}}}, []string{"behind"}},
	} {
		found := c.g.explain()
		if got := keysOf(found); !slices.Equal(got, c.want) {
			t.Errorf("%s is explained by %v, want %v", c.why, got, c.want)
		}
		for code, l := range languages() {
			for _, f := range found {
				if text := l.text("explain."+f.Key, f.Args...); strings.Contains(text, "%!") || strings.HasPrefix(text, "explain.") {
					t.Errorf("%s in %s reads %q", c.why, code, text)
				}
			}
		}
	}
}

func TestAGroupsPageShowsWhatItWentThrough(t *testing.T) {
	w := open(t, broker.WithTopic("log", 1, nil))
	c := w.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("log"), kgo.ClientID("reader"))
	if err := w.b.Group("g").WaitForStable(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	other := w.client(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("log"), kgo.ClientID("other"))
	if err := w.b.Group("g").WaitForStable(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	w.see("/groups/g", 200, "member joined", "member got its partitions", "1 of 2 members have no partition", "s ago")
	var v groupView
	if err := json.Unmarshal([]byte(w.see("/api/v1/pages/groups/g", 200)), &v); err != nil {
		t.Fatal(err)
	}
	if v.Epoch < 2 || len(v.Steps) < 4 || v.Members[0].Heard < 0 || v.Members[0].Heard > 60 {
		t.Errorf("the group is %+v, want a generation, its steps and the age of heartbeats", v)
	}
	w.headers["Accept-Language"] = "fr"
	w.see("/groups/g", 200, "un membre est arrivé")
	w.see("/", 200, "Messages par seconde", "un membre est arrivé")
	for _, member := range []*kgo.Client{c, other} {
		if err := member.LeaveGroupContext(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	w.see("/groups/g", 200, "un membre est parti")
}

func TestListsAreSortedAndSayWhoReads(t *testing.T) {
	w := open(t, broker.WithTopic("few", 1, nil), broker.WithTopic("many", 5, nil), broker.WithTopic("some", 2, nil))
	if err := w.b.Produce("some", broker.Record{Value: []byte("v")}, broker.Record{Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	w.submit("/topics/some/send", url.Values{"value": {"v"}, "partition": {"1"}}, "/topics/some/send?done=sent&offset=0&partition=1")
	for sort, want := range map[string][]string{"": {"few", "many", "some"}, "-name": {"some", "many", "few"}, "-partitions": {"many", "some", "few"}, "partitions": {"few", "some", "many"}, "-records": {"some", "few", "many"}, "nonsense": {"few", "many", "some"}} {
		var v topicsView
		if err := json.Unmarshal([]byte(w.see("/api/v1/pages/topics?sort="+sort, 200)), &v); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, row := range v.Rows {
			got = append(got, row.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("sorted by %q the topics are %v, want %v", sort, got, want)
		}
	}
	w.see("/topics?sort=-records&q=m", 200, `aria-sort="descending"`, `?q=m&amp;sort=records`)
	w.see("/topics?internal=1", 200)
	for group, offset := range map[string]int64{"near": 2, "far": 0} {
		if err := w.b.Group(group).Commit("some", map[int32]int64{0: offset}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.b.Group("near").Commit("many", map[int32]int64{4: 0, 1: 0}); err != nil {
		t.Fatal(err)
	}
	order := func(path, list, key string) (got []string) {
		t.Helper()
		var v map[string]any
		if err := json.Unmarshal([]byte(w.see("/api/v1/pages"+path, 200)), &v); err != nil {
			t.Fatal(err)
		}
		for _, row := range v[list].([]any) {
			got = append(got, fmt.Sprint(row.(map[string]any)[key]))
		}
		return got
	}
	for path, of := range map[string]struct {
		list, key string
		want      []string
	}{
		"/topics?sort=-groups":                              {"topics", "name", []string{"some", "many", "few"}},
		"/topics?sort=-lag":                                 {"topics", "name", []string{"some", "few", "many"}},
		"/groups":                                           {"groups", "id", []string{"far", "near"}},
		"/groups?sort=-group":                               {"groups", "id", []string{"near", "far"}},
		"/groups?sort=-topics":                              {"groups", "id", []string{"near", "far"}},
		"/groups?sort=-lag":                                 {"groups", "id", []string{"far", "near"}},
		"/groups/near?offsets.sort=-committed":              {"offsets", "topic", []string{"some", "many", "many"}},
		"/groups/near?offsets.sort=-partition":              {"offsets", "partition", []string{"4", "1", "0"}},
		"/topics/many?partitions.sort=-partition":           {"partition", "partition", []string{"4", "3", "2", "1", "0"}},
		"/topics/some?partitions.sort=-records":             {"partition", "records", []string{"2", "1"}},
		"/topics/some?groups.sort=-lag&partitions.sort=end": {"groups", "group", []string{"far", "near"}},
		"/brokers?sort=address":                             {"brokers", "id", []string{"1"}},
	} {
		if got := order(path, of.list, of.key); !slices.Equal(got, of.want) {
			t.Errorf("%s has %v, want %v", path, got, of.want)
		}
	}
	// One table's order leaves the others as they are.
	w.see("/groups/near?offsets.sort=-lag", 200, `aria-sort="descending"><a href="?offsets.sort=lag#offsets">Lag</a>`)
	w.see("/topics/some?groups.sort=-lag", 200, `<a href="?groups.sort=-lag&amp;partitions.sort=-end#partitions">End offset</a>`)
	w.see("/groups?sort=-lag&q=a", 200, `<input type="hidden" name="sort" value="-lag">`)
}
