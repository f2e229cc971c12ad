package api

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns topics: what there is, making and deleting them, their configs.

// TopicList is all topics.
type TopicList struct {
	Topics []TopicSummary `json:"topics" doc:"By name."`
}

// TopicSummary is a topic in a list.
type TopicSummary struct {
	Name       string `json:"name"`
	Internal   bool   `json:"internal" doc:"Whether it is the broker's own, such as __consumer_offsets."`
	Partitions int    `json:"partitions"`
	Records    int    `json:"records" doc:"Records that can be read. Control records do not count."`
}

// Topic is a topic with its partitions.
type Topic struct {
	TopicSummary
	ID     string      `json:"id" doc:"The topic's id, 32 hexadecimal digits."`
	Detail []Partition `json:"detail" doc:"Its partitions."`
}

// Partition is a partition of a topic.
type Partition struct {
	Partition     int32   `json:"partition"`
	Leader        int32   `json:"leader" doc:"Id of the broker; -1: none."`
	LeaderEpoch   int32   `json:"leader_epoch"`
	Replicas      []int32 `json:"replicas"`
	ISR           []int32 `json:"isr" doc:"Replicas in sync."`
	Start         int64   `json:"start" doc:"Offset of the first record."`
	HighWatermark int64   `json:"high_watermark" doc:"Offset that the next record gets."`
	LastStable    int64   `json:"last_stable_offset" doc:"Offset below which no transaction is open."`
}

// NewTopic is a topic to make.
type NewTopic struct {
	Name              string            `json:"name"`
	Partitions        int32             `json:"partitions,omitempty" doc:"None: the broker's num.partitions."`
	ReplicationFactor int16             `json:"replication_factor,omitempty" doc:"None: the broker's default.replication.factor."`
	Configs           map[string]string `json:"configs,omitempty" doc:"Topic configs by Kafka's names."`
}

// Configs is a topic's configs.
type Configs struct {
	Configs []Config `json:"configs" doc:"By name."`
}

// Config is one config.
type Config struct {
	Name  string  `json:"name"`
	Value *string `json:"value" doc:"null where it is secret."`
	Own   bool    `json:"own" doc:"Whether the topic has it itself. Otherwise it is the broker's or the default."`
}

// ConfigChange sets configs.
type ConfigChange struct {
	Configs map[string]*string `json:"configs" doc:"New values by Kafka's names; null takes the topic's own away."`
}

// Growth is a new number of partitions.
type Growth struct {
	Partitions int32 `json:"partitions" doc:"How many there shall be, more than now."`
}

func (a *API) summary(name string, internal bool) TopicSummary {
	t := a.b.Topic(name)
	return TopicSummary{Name: name, Internal: internal, Partitions: len(t.HighWatermarks()), Records: t.Len()}
}

func listTopics(a *API, r *http.Request) (any, error) {
	meta, err := kmsg.NewPtrMetadataRequest().RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	list := TopicList{Topics: []TopicSummary{}}
	for _, t := range meta.Topics {
		if !t.IsInternal || r.URL.Query().Get("internal") == "true" {
			list.Topics = append(list.Topics, a.summary(*t.Topic, t.IsInternal))
		}
	}
	slices.SortFunc(list.Topics, func(x, y TopicSummary) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
	return list, nil
}

// find is the metadata of the topic in the path.
func (a *API) find(r *http.Request) (*kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	name := r.PathValue("topic")
	t.Topic = &name
	req.Topics = append(req.Topics, t)
	meta, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	found := &meta.Topics[0]
	message := fmt.Sprintf("There is no topic %q.", name)
	return found, kafka(found.ErrorCode, &message)
}

func getTopic(a *API, r *http.Request) (any, error) {
	m, err := a.find(r)
	if err != nil {
		return nil, err
	}
	t := Topic{TopicSummary: a.summary(*m.Topic, m.IsInternal), ID: hex.EncodeToString(m.TopicID[:]), Detail: []Partition{}}
	starts, stable, ends := a.b.Topic(*m.Topic).StartOffsets(), a.b.Topic(*m.Topic).LastStableOffsets(), a.b.Topic(*m.Topic).HighWatermarks()
	for _, p := range m.Partitions {
		if int(p.Partition) >= min(len(starts), len(stable), len(ends)) {
			continue // made or deleted between the two looks
		}
		t.Detail = append(t.Detail, Partition{
			Partition: p.Partition, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, Replicas: append([]int32{}, p.Replicas...), ISR: append([]int32{}, p.ISR...),
			Start: starts[p.Partition], HighWatermark: ends[p.Partition], LastStable: stable[p.Partition],
		})
	}
	slices.SortFunc(t.Detail, func(x, y Partition) int { return int(x.Partition - y.Partition) })
	return t, nil
}

func createTopic(a *API, r *http.Request) (any, error) {
	asked, err := read[NewTopic](r)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 60_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = asked.Name, asked.Partitions, asked.ReplicationFactor
	if t.NumPartitions == 0 {
		t.NumPartitions = -1
	}
	if t.ReplicationFactor == 0 {
		t.ReplicationFactor = -1
	}
	for _, name := range slices.Sorted(maps.Keys(asked.Configs)) {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, kmsg.StringPtr(asked.Configs[name])
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	if err := kafka(resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage); err != nil {
		return nil, err
	}
	r.SetPathValue("topic", asked.Name)
	return getTopic(a, r)
}

func deleteTopic(a *API, r *http.Request) (any, error) {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 60_000
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = kmsg.StringPtr(r.PathValue("topic"))
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	return nil, kafka(resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage)
}

func growTopic(a *API, r *http.Request) (any, error) {
	asked, err := read[Growth](r)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = 60_000
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = r.PathValue("topic"), asked.Partitions
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	if err := kafka(resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage); err != nil {
		return nil, err
	}
	return getTopic(a, r)
}

func getConfigs(a *API, r *http.Request) (any, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	of := kmsg.NewDescribeConfigsRequestResource()
	of.ResourceType, of.ResourceName = kmsg.ConfigResourceTypeTopic, r.PathValue("topic")
	req.Resources = append(req.Resources, of)
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	if err := kafka(resp.Resources[0].ErrorCode, resp.Resources[0].ErrorMessage); err != nil {
		return nil, err
	}
	list := Configs{Configs: []Config{}}
	for _, c := range resp.Resources[0].Configs {
		list.Configs = append(list.Configs, Config{c.Name, c.Value, c.Source == kmsg.ConfigSourceDynamicTopicConfig})
	}
	slices.SortFunc(list.Configs, func(x, y Config) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
	return list, nil
}

func changeConfigs(a *API, r *http.Request) (any, error) {
	asked, err := read[ConfigChange](r)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	of := kmsg.NewIncrementalAlterConfigsRequestResource()
	of.ResourceType, of.ResourceName = kmsg.ConfigResourceTypeTopic, r.PathValue("topic")
	for _, name := range slices.Sorted(maps.Keys(asked.Configs)) {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value, c.Op = name, asked.Configs[name], kmsg.IncrementalAlterConfigOpSet
		if c.Value == nil {
			c.Op = kmsg.IncrementalAlterConfigOpDelete
		}
		of.Configs = append(of.Configs, c)
	}
	req.Resources = append(req.Resources, of)
	resp, err := req.RequestWith(r.Context(), a.b)
	if err != nil {
		return nil, err
	}
	if err := kafka(resp.Resources[0].ErrorCode, resp.Resources[0].ErrorMessage); err != nil {
		return nil, err
	}
	return getConfigs(a, r)
}
