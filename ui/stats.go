package ui

// This file owns the statistics of a topic: what its newest messages are like.

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

const (
	// statsWindow is how many of the newest offsets of each partition are looked
	// at, and statsMost of all.
	statsWindow = 5000
	statsMost   = 50_000
	// statsKeys is how many of the commonest keys are listed.
	statsKeys = 10
)

type statsView struct {
	Topic      string     `json:"topic"`
	LookedAt   int        `json:"looked_at"`
	Records    int64      `json:"records"` // that the topic has
	NullKeys   int        `json:"null_keys"`
	NullValues int        `json:"null_values"`
	Headers    int        `json:"with_headers"`
	Markers    int        `json:"transaction_markers"`
	Distinct   int        `json:"distinct_keys"`
	Keys       spread     `json:"key_bytes"`
	Values     spread     `json:"value_bytes"`
	Oldest     time.Time  `json:"oldest"`
	Newest     time.Time  `json:"newest"`
	Parts      []partStat `json:"partitions"`
	Common     []keyCount `json:"commonest_keys"`
}

// PerSecond is how many messages a second came, over the time that was looked at.
func (v statsView) PerSecond() float64 {
	if passed := v.Newest.Sub(v.Oldest).Seconds(); passed > 0 && v.LookedAt > 1 {
		return float64(v.LookedAt-1) / passed
	}
	return 0
}

// Most is what the fullest partition has.
func (v statsView) Most() int {
	most := 1
	for _, p := range v.Parts {
		most = max(most, p.Messages)
	}
	return most
}

// spread is how large things are, nulls left out.
type spread struct {
	Least   int     `json:"least"`
	Most    int     `json:"most"`
	Average float64 `json:"average"`

	n, sum int
}

func (s *spread) add(b []byte) {
	if b == nil {
		return
	}
	if s.n == 0 || len(b) < s.Least {
		s.Least = len(b)
	}
	s.Most = max(s.Most, len(b))
	s.n++
	s.sum += len(b)
	s.Average = float64(s.sum) / float64(s.n)
}

// Mean is the average, as a whole number of bytes.
func (s spread) Mean() int64 { return int64(s.Average + 0.5) }

type partStat struct {
	Partition int32 `json:"partition"`
	Messages  int   `json:"messages"` // looked at
	Keys      int   `json:"distinct_keys"`
}

type keyCount struct {
	Key        decoded `json:"key"`
	Messages   int     `json:"messages"`
	Partitions []int32 `json:"partitions"` // more than one: the number of partitions changed, or producers differ
}

func (s *site) stats(r *http.Request) (any, error) {
	ctx, name := r.Context(), r.PathValue("topic")
	t, err := s.cluster.one(ctx, name)
	if err != nil {
		return nil, err
	}
	all := numbers(t)
	v := statsView{Topic: name, Parts: []partStat{}, Common: []keyCount{}}
	asked := map[string][]int32{name: all}
	starts, ends, err := s.cluster.bounds(ctx, asked)
	if err != nil {
		return nil, err
	}
	type seen struct {
		n     int
		parts []int32
	}
	keys := map[string]*seen{}
	window := min(statsWindow, max(1, statsMost/max(1, len(all))))
	for i := range t.Partitions {
		p := &t.Partitions[i]
		lo, hi := starts[name][p.Partition], ends[name][p.Partition]
		v.Records += hi - lo
		if lo == hi {
			v.Parts = append(v.Parts, partStat{Partition: p.Partition})
			continue
		}
		records, _, err := s.cluster.readBack(ctx, t, span{partition: p.Partition, leader: p.Leader, lo: lo, hi: hi}, window)
		if err != nil {
			return nil, err
		}
		part := partStat{Partition: p.Partition}
		for _, record := range records {
			if record.Attrs.IsControl() {
				v.Markers++
				continue
			}
			part.Messages++
			v.Keys.add(record.Key)
			v.Values.add(record.Value)
			if record.Value == nil {
				v.NullValues++
			}
			if len(record.Headers) > 0 {
				v.Headers++
			}
			if v.Oldest.IsZero() || record.Timestamp.Before(v.Oldest) {
				v.Oldest = record.Timestamp.UTC()
			}
			if record.Timestamp.After(v.Newest) {
				v.Newest = record.Timestamp.UTC()
			}
			if record.Key == nil {
				v.NullKeys++
				continue
			}
			k := keys[string(record.Key)]
			if k == nil {
				k = &seen{}
				keys[string(record.Key)] = k
			}
			k.n++
			if !slices.Contains(k.parts, p.Partition) {
				k.parts = append(k.parts, p.Partition)
				part.Keys++
			}
		}
		v.LookedAt += part.Messages
		v.Parts = append(v.Parts, part)
	}
	v.Distinct = len(keys)
	common := make([]string, 0, len(keys))
	for key := range keys {
		common = append(common, key)
	}
	slices.SortFunc(common, func(a, b string) int { return cmp.Or(cmp.Compare(keys[b].n, keys[a].n), cmp.Compare(a, b)) })
	for _, key := range common[:min(statsKeys, len(common))] {
		v.Common = append(v.Common, keyCount{decode([]byte(key), "auto", previewBytes), keys[key].n, keys[key].parts})
	}
	return v, nil
}
