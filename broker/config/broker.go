package config

// This file owns a broker's configs: what was given at start, what was changed
// since, and which value holds. KIP-226 has the order: this broker's dynamic
// value, the cluster-wide dynamic default, the static value, the default.

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// Broker is the configs of one broker. It never changes: Alter and Replace
// return another.
type Broker struct {
	layers [3]layer
	values map[string]any // of the configs that are set; the others have their defaults
	hot    Hot
}

// layer is the values that come from one source, as they were written.
type layer struct {
	source Source
	values map[string]string
}

// Places of the layers, in precedence order.
const (
	ofBroker = iota
	ofCluster
	static
)

// NewBroker makes the configs of a broker that starts with the given ones. Its
// errors are meant for who started the program. Names that only older Kafkas
// have, or that belong to plugins, are accepted.
func NewBroker(given map[string]string) (*Broker, error) {
	if len(given) == 0 {
		return unset(), nil
	}
	values := maps.Clone(given)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := brokerByName[name]; ok || isRetired(name) {
			continue
		}
		if near := SuggestBroker(name); near != "" {
			return nil, fmt.Errorf("unknown broker config %q: did you mean %q?", name, near)
		}
		return nil, fmt.Errorf("unknown broker config %q: names are Apache Kafka's, such as %q", name, "num.partitions")
	}
	// node.id is the newer name of broker.id; Kafka keeps both equal.
	switch node, id := values["node.id"], values["broker.id"]; {
	case node == "" && id != "":
		values["node.id"] = id
	case id == "" && node != "":
		values["broker.id"] = node
	case id != node:
		return nil, fmt.Errorf("node.id is %s and broker.id %s: they are two names of one config, set one", node, id)
	}
	b, err := newBroker(started(values))
	if err != nil {
		return nil, err
	}
	return b, nil
}

// unset is the configs of a broker that was given none, as most tests' brokers
// are.
var unset = sync.OnceValue(func() *Broker {
	b, _ := newBroker(started(nil)) // the defaults are in order
	return b
})

// started is the layers of a broker that starts with these values.
func started(values map[string]string) [3]layer {
	return [3]layer{
		ofBroker:  {DynamicBrokerConfig, nil},
		ofCluster: {DynamicDefaultBrokerConfig, nil},
		static:    {StaticBrokerConfig, values},
	}
}

// newBroker works out the values that hold, and checks them.
func newBroker(layers [3]layer) (*Broker, *Error) {
	b := &Broker{layers: layers, values: make(map[string]any)}
	// Only what somebody has set: the others have their defaults.
	var set []string
	for _, l := range layers {
		for name := range l.values {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	for _, name := range slices.Compact(set) {
		d := brokerByName[name]
		if d == nil {
			continue // retired
		}
		raw, _ := b.lookup(d.Name)
		v, err := d.parse(*raw)
		if err != nil {
			return nil, err
		}
		b.values[d.Name] = v
	}
	// A test's broker has the defaults, most times, and those are in order.
	if len(set) > 0 {
		if err := b.check(); err != nil {
			return nil, err
		}
	}
	b.hot = b.readHot()
	return b, nil
}

// value is what holds for a config; false where that is null.
func (b *Broker) value(name string) (any, bool) {
	if v, ok := b.values[name]; ok {
		return v, true
	}
	if d := brokerByName[name]; d != nil {
		return d.defaultValue()
	}
	return nil, false
}

// check holds what Kafka demands of values together (KafkaConfig.validateValues).
func (b *Broker) check() *Error {
	if b.topicLong("segment.ms") < 1 {
		return invalidRequest("requirement failed: log.roll.ms must be greater than or equal to 1")
	}
	if b.topicLong("segment.jitter.ms") < 0 {
		return invalidRequest("requirement failed: log.roll.jitter.ms must be greater than or equal to 0")
	}
	if b.topicLong("retention.ms") == 0 {
		return invalidRequest("requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
	}
	return b.checkGroupBounds()
}

func (b *Broker) topicLong(topicConfig string) int64 {
	n, _ := b.topicDefault(topicByName[topicConfig]).(int64)
	return n
}

// topicDefault is the value that topics have which do not set d.
func (b *Broker) topicDefault(d *Def) any {
	for _, s := range d.Synonyms {
		v, ok := b.value(s.Name)
		if !ok {
			continue
		}
		n, isNumber := v.(int64)
		if !isNumber {
			return v
		}
		if n = saturate(n, s.Times); d.Name == "retention.ms" {
			n = max(n, -1) // any negative time is "no limit"
		}
		return n
	}
	if d.Default == nil {
		return nil
	}
	v, _ := parseType(d.Name, d.Type, *d.Default)
	return v
}

func saturate(n, times int64) int64 {
	if n > math.MaxInt64/times {
		return math.MaxInt64
	}
	return n * times
}

// lookup finds what was set for name, and where; nil if nowhere.
func (b *Broker) lookup(name string) (*string, Source) {
	for _, l := range b.layers {
		if v, ok := l.values[name]; ok {
			found := v // only what is found costs memory
			return &found, l.source
		}
	}
	return nil, DefaultConfig
}

func (b *Broker) get(name string) any {
	v, ok := b.value(name)
	if !ok && brokerByName[name] == nil {
		panic("config: there is no broker config " + name)
	}
	return v
}

// Int is the value of an INT, SHORT or LONG config; 0 where it is null.
func (b *Broker) Int(name string) int {
	n, _ := b.get(name).(int64)
	return int(n)
}

// Bool is the value of a BOOLEAN config.
func (b *Broker) Bool(name string) bool {
	v, _ := b.get(name).(bool)
	return v
}

// Double is the value of a DOUBLE config.
func (b *Broker) Double(name string) float64 {
	f, _ := b.get(name).(float64)
	return f
}

// String is the value of a STRING, CLASS or PASSWORD config; "" where it is
// null.
func (b *Broker) String(name string) string {
	s, _ := b.get(name).(string)
	return s
}

// List is the value of a LIST config. Do not change it.
func (b *Broker) List(name string) []string {
	l, _ := b.get(name).([]string)
	return l
}

// Duration is the value of a config that is a time, by the unit that its name
// ends in: ms, seconds, minutes or hours. It is at most what a Duration can
// hold, some 292 years. Negative values stay negative.
func (b *Broker) Duration(name string) time.Duration {
	unit := time.Millisecond
	switch {
	case strings.HasSuffix(name, ".seconds"), strings.HasSuffix(name, ".secs"):
		unit = time.Second
	case strings.HasSuffix(name, ".minutes"):
		unit = time.Minute
	case strings.HasSuffix(name, ".hours"):
		unit = time.Hour
	}
	return time.Duration(saturate(int64(b.Int(name)), int64(unit)))
}

// Ignored lists the configs that were given at start and have no effect here,
// by name.
func (b *Broker) Ignored() []string {
	var names []string
	for name := range b.layers[static].values {
		if d := brokerByName[name]; (d == nil || d.Doc == "") && !slices.Contains(ofAuthorizer, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Describe lists the broker's configs as DescribeConfigs answers them for the
// broker's id, by name.
func (b *Broker) Describe() []Entry {
	entries := make([]Entry, 0, len(brokerSorted()))
	for _, d := range brokerSorted() {
		entries = append(entries, b.entry(d, b.layers[:]))
	}
	// Configs that no definition shows: custom ones, and throttles.
	extra := map[string]bool{}
	for _, l := range b.layers[:static] {
		for name := range l.values {
			if d := brokerByName[name]; d == nil || d.Internal {
				extra[name] = true
			}
		}
	}
	for name := range extra {
		entries = append(entries, b.entry(definition(name), b.layers[:]))
	}
	return sortEntries(entries)
}

// DescribeClusterDefaults lists the cluster-wide dynamic defaults, as
// DescribeConfigs answers for the broker named "".
func (b *Broker) DescribeClusterDefaults() []Entry {
	var entries []Entry
	for name := range b.layers[ofCluster].values {
		d := definition(name)
		e := b.entry(d, b.layers[ofCluster:ofCluster+1])
		if raw := b.layers[ofCluster].values[name]; !d.Sensitive {
			e.Value = &raw
		}
		entries = append(entries, e)
	}
	return sortEntries(entries)
}

// definition is a config's definition, and for a name that Kafka does not know
// one that keeps its value secret, as Kafka does.
func definition(name string) *Def {
	if d := brokerByName[name]; d != nil {
		return d
	}
	return &Def{Name: name, Type: TypeUnknown, ReadOnly: true, Sensitive: true}
}

func (b *Broker) entry(d *Def, layers []layer) Entry {
	e := Entry{Name: d.Name, Source: DefaultConfig, Type: d.Type, ReadOnly: d.ReadOnly, Sensitive: d.Sensitive, Doc: d.Doc}
	if v, ok := b.value(d.Name); ok && !d.Sensitive {
		text := format(v)
		e.Value = &text
	}
	e.Synonyms = synonyms(d.Name, layers, len(layers) == len(b.layers))
	if len(e.Synonyms) > 0 {
		e.Source = e.Synonyms[0].Source
	}
	return e
}

// synonyms lists what was set for a config and for the names that stand in for it,
// source by source. It starts at the first entry for the config itself:
// log.retention.hours alone does not show as a synonym of log.retention.ms, in
// Kafka neither (ConfigHelper.configSynonyms).
func synonyms(asked string, layers []layer, withDefaults bool) []SynonymEntry {
	names := brokerNames(asked)
	var found []SynonymEntry
	add := func(name string, value *string, source Source) {
		if len(found) == 0 && name != asked {
			return
		}
		if definition(name).Sensitive {
			value = nil
		}
		found = append(found, SynonymEntry{name, value, source})
	}
	for _, l := range layers {
		for _, name := range names {
			if v, ok := l.values[name]; ok {
				add(name, &v, l.source)
			}
		}
	}
	if withDefaults {
		for _, name := range names {
			if d := brokerByName[name]; d != nil && d.Default != nil {
				add(name, d.Default, DefaultConfig)
			}
		}
	}
	return found
}

func sortEntries(entries []Entry) []Entry {
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries
}
