package protocol_test

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

var update = flag.Bool("update", false, "write docs/protocol.md anew")

const tablePage = "../docs/protocol.md"

type versions struct{ min, max int16 }

func (v versions) String() string { return fmt.Sprintf("%d-%d", v.min, v.max) }

func TestProtocolPageIsGeneratedFromTheTable(t *testing.T) {
	want := page(apacheKafka(t), kfakeVersions(t))
	if *update {
		if err := os.WriteFile(tablePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(tablePage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Fatalf("%s is out of date: go test ./protocol -run ProtocolPage -update", tablePage)
	}
}

func page(kafka, kfake map[int16]versions) string {
	var b strings.Builder
	b.WriteString("# Protocol\n\n")
	b.WriteString("The API keys and versions that minibroker serves, beside those of Apache Kafka 4.3.1 (as its ApiVersions answers) and of kfake. This page is generated from the table in `protocol/apis.go`; a test holds it.\n\n")
	b.WriteString("| key | API | minibroker | Apache Kafka 4.3.1 | kfake |\n| ---: | --- | --- | --- | --- |\n")
	names := make(map[int16]string)
	here := make(map[int16]versions)
	for _, api := range protocol.APIs() {
		names[api.Key], here[api.Key] = api.Name, versions{api.Min, api.Max}
	}
	keys := make(map[int16]bool)
	for _, m := range []map[int16]versions{here, kafka, kfake} {
		for k := range m {
			keys[k] = true
		}
	}
	sorted := make([]int, 0, len(keys))
	for k := range keys {
		sorted = append(sorted, int(k))
	}
	sort.Ints(sorted)
	cell := func(m map[int16]versions, k int16) string {
		if v, ok := m[k]; ok {
			return v.String()
		}
		return "-"
	}
	for _, k := range sorted {
		key := int16(k)
		name := names[key]
		if name == "" {
			name = kmsg.NameForKey(key)
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s |\n", key, name, cell(here, key), cell(kafka, key), cell(kfake, key))
	}
	return b.String()
}

// apacheKafka reads what Apache Kafka's own ApiVersions was seen to answer.
func apacheKafka(t *testing.T) map[int16]versions {
	f, err := os.Open("testdata/apache-kafka-4.3.1-api-versions.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.FieldsPerRecord = '\t', -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[int16]versions)
	for _, row := range rows[1:] {
		m[number(t, row[0])] = versions{number(t, row[2]), number(t, row[3])}
	}
	return m
}

func number(t *testing.T, s string) int16 {
	n, err := strconv.ParseInt(s, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return int16(n)
}

func kfakeVersions(t *testing.T) map[int16]versions {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "minibroker", "test"
	resp, err := req.RequestWith(context.Background(), cl)
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[int16]versions)
	for _, k := range resp.ApiKeys {
		m[k.ApiKey] = versions{k.MinVersion, k.MaxVersion}
	}
	return m
}

func TestEveryVersionThatApacheKafkaServesIsServed(t *testing.T) {
	served := make(map[int16]versions)
	for _, api := range protocol.APIs() {
		served[api.Key] = versions{api.Min, api.Max}
	}
	for key, kafka := range apacheKafka(t) {
		if here, ok := served[key]; !ok {
			t.Errorf("%s (key %d) is not served", kmsg.NameForKey(key), key)
		} else if ok && (here.min > kafka.min || here.max < kafka.max) {
			t.Errorf("%s (key %d) is served in versions %s, Apache Kafka serves %s", kmsg.NameForKey(key), key, here, kafka)
		}
	}
}
