package config

// This file owns the configs of groups (KIP-848, KIP-932, KIP-1071) and of
// client metrics subscriptions (KIP-714).

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// groupTable has the group configs (GroupConfig), in the order in which Kafka
// checks them. bounded says which broker configs bound a value, see bounds.
var groupTable = []groupRow{
	{"consumer.heartbeat.interval.ms", "5000", TypeInt, ">= 1", "How often members of a consumer group are told to send heartbeats.", true, "min max"},
	{"consumer.session.timeout.ms", "45000", TypeInt, ">= 1", "A member of a consumer group that sends no heartbeat for this long is removed.", true, "min max"},
	{"consumer.assignment.interval.ms", "1000", TypeInt, ">= 0", "The shortest time between two assignments of a consumer group.", true, "min max"},
	{"share.heartbeat.interval.ms", "5000", TypeInt, ">= 1", "How often members of a share group are told to send heartbeats.", true, "min max"},
	{"share.session.timeout.ms", "45000", TypeInt, ">= 1", "A member of a share group that sends no heartbeat for this long is removed.", true, "min max"},
	{"share.record.lock.duration.ms", "30000", TypeInt, ">= 1000", "How long a share group's member may hold a record before others get it.", true, "min max"},
	{"share.delivery.count.limit", "5", TypeInt, ">= 2", "How often a share group delivers a record before giving up.", true, "min max"},
	{"share.partition.max.record.locks", "2000", TypeInt, ">= 100", "How many records of a partition a share group may have on loan.", true, "min max"},
	{"share.auto.offset.reset", "latest", TypeString, "reset", "Where a share group without a position starts.", false, ""},
	{"share.isolation.level", "read_uncommitted", TypeString, "in read_committed|read_uncommitted", "Whether a share group sees records of open transactions.", false, ""},
	{"share.renew.acknowledge.enable", "true", TypeBoolean, "", "Whether a share group's member may prolong its hold on a record.", false, ""},
	{"share.assignment.interval.ms", "1000", TypeInt, ">= 0", "The shortest time between two assignments of a share group.", true, "min max"},
	{"streams.heartbeat.interval.ms", "5000", TypeInt, ">= 1", "How often members of a streams group are told to send heartbeats.", true, "min max"},
	{"streams.session.timeout.ms", "45000", TypeInt, ">= 1", "A member of a streams group that sends no heartbeat for this long is removed.", true, "min max"},
	{"streams.num.standby.replicas", "0", TypeInt, ">= 0", "Standby copies of each task's state in a streams group.", true, "max"},
	{"streams.initial.rebalance.delay.ms", "3000", TypeInt, ">= 0", "How long a new, empty streams group waits for more members before its first assignment.", true, ""},
	{"streams.assignment.interval.ms", "1000", TypeInt, ">= 0", "The shortest time between two assignments of a streams group.", true, "min max"},
}

type groupRow struct {
	name, byDefault string
	kind            Type
	rule, doc       string
	inherits        bool // from the broker config of the same name after "group."
	bounded         string
}

// groupFamilies are the kinds of groups that have configs.
var groupFamilies = [...]string{"consumer", "share", "streams"}

var (
	groupDefs   = newGroupDefs()
	groupByName = index(groupDefs)
	groupSorted = shown(groupDefs)
)

func newGroupDefs() []*Def {
	defs := make([]*Def, 0, len(groupTable))
	for i := range groupTable {
		g := &groupTable[i]
		d := &Def{Name: g.name, Type: g.kind, Default: &g.byDefault, Doc: g.doc, rule: lazyRule{text: g.rule}}
		if g.inherits {
			d.Synonyms = same("group." + g.name)
		}
		defs = append(defs, d)
	}
	return defs
}

// GroupDefs lists the group configs by name. The definitions are shared: do not
// change them.
func GroupDefs() []*Def { return slices.Clone(groupSorted) }

// DescribeGroup lists a group's configs as DescribeConfigs answers them, by
// name. A group that nobody configured has the defaults.
func DescribeGroup(overrides map[string]string, b *Broker) []Entry {
	entries := make([]Entry, 0, len(groupSorted))
	for _, d := range groupSorted {
		e := newEntry(d)
		text := groupValue(d, overrides, b)
		e.Value = &text
		if _, ok := overrides[d.Name]; ok {
			e.Synonyms = []SynonymEntry{{d.Name, &text, GroupConfig}}
		}
		if len(d.Synonyms) > 0 {
			e.Synonyms = append(e.Synonyms, synonyms(d.Synonyms[0].Name, b.layers[:], true)...)
		} else {
			e.Synonyms = append(e.Synonyms, SynonymEntry{d.Name, d.Default, DefaultConfig})
		}
		e.Source = e.Synonyms[0].Source
		entries = append(entries, e)
	}
	return entries
}

func groupValue(d *Def, overrides map[string]string, b *Broker) string {
	if text, ok := overrides[d.Name]; ok {
		v, _ := d.parse(text) // checked when it was set
		return format(v)
	}
	if len(d.Synonyms) > 0 {
		v, _ := b.value(d.Synonyms[0].Name)
		return format(v)
	}
	return *d.Default
}

// GroupDuration is the broker config of that name, such as
// group.consumer.session.timeout.ms, as the configs of one group have it.
func GroupDuration(name string, overrides map[string]string, b *Broker) time.Duration {
	return time.Duration(GroupInt(name, overrides, b)) * time.Millisecond
}

// GroupInt is the broker config of that name, such as
// group.share.delivery.count.limit, as the configs of one group have it. A value
// that was set where other bounds held counts as the nearest that is allowed
// here (GroupConfig.evaluate).
func GroupInt(name string, overrides map[string]string, b *Broker) int {
	own := strings.TrimPrefix(name, "group.")
	text, ok := overrides[own]
	if !ok {
		return b.Int(name)
	}
	v, err := groupByName[own].parse(text)
	if err != nil { // checked when it was set
		return b.Int(name)
	}
	n := int(v.(int64))
	row := slices.IndexFunc(groupTable[:], func(g groupRow) bool { return g.name == own })
	low, high := groupTable[row].bounds()
	if low != "" {
		n = max(n, b.Int(low))
	}
	if high != "" {
		n = min(n, b.Int(high))
	}
	return n
}

// bounds names the broker configs that bound a group config, if any:
// consumer.session.timeout.ms by group.consumer.min.session.timeout.ms and
// group.consumer.max.session.timeout.ms.
func (g *groupRow) bounds() (low, high string) {
	family, rest, _ := strings.Cut(g.name, ".")
	rest = strings.TrimPrefix(rest, "num.") // group.streams.max.standby.replicas
	if strings.Contains(g.bounded, "min") {
		low = "group." + family + ".min." + rest
	}
	if strings.Contains(g.bounded, "max") {
		high = "group." + family + ".max." + rest
	}
	return low, high
}

// groupDefault is a broker config that is the default of a group config, with
// what bounds it.
type groupDefault struct{ name, low, high string }

// groupDefaults is made once: a process may start thousands of brokers.
var groupDefaults = sync.OnceValue(func() (all []groupDefault) {
	for i := range groupTable {
		low, high := groupTable[i].bounds()
		all = append(all, groupDefault{"group." + groupTable[i].name, low, high})
	}
	return all
})

// checkGroupBounds holds the defaults of groups against their bounds
// (GroupCoordinatorConfig, ShareGroupConfig).
func (b *Broker) checkGroupBounds() *Error {
	for _, g := range groupDefaults() {
		name, low, high := g.name, g.low, g.high
		switch {
		case low != "" && high != "" && b.Int(high) < b.Int(low):
			return invalidRequest(high + " must be greater than or equal to " + low)
		case low != "" && b.Int(name) < b.Int(low):
			return invalidRequest(name + " must be greater than or equal to " + low)
		case high != "" && b.Int(name) > b.Int(high):
			return invalidRequest(name + " must be less than or equal to " + high)
		}
	}
	for _, family := range groupFamilies {
		session, heartbeat := "group."+family+".session.timeout.ms", "group."+family+".heartbeat.interval.ms"
		if b.Int(heartbeat) >= b.Int(session) {
			return invalidRequest(heartbeat + " must be less than " + session)
		}
	}
	if n := len(b.List("group.share.assignors")); n != 1 {
		return invalidRequest("group.share.assignors must contain exactly one assignor, but found " + strconv.Itoa(n))
	}
	if b.Int("group.share.max.share.sessions") < b.Int("group.share.max.size") {
		return invalidRequest("group.share.max.share.sessions must be greater than or equal to group.share.max.size")
	}
	return nil
}

// GroupText is a group config that no broker config gives a default, such as
// share.isolation.level.
func GroupText(name string, overrides map[string]string) string {
	if text, ok := overrides[name]; ok {
		return text
	}
	return *groupByName[name].Default
}

// ShareReset reads a share.auto.offset.reset that was checked: whether a share
// group begins at the log's start, at a time so long ago, or, if neither, at its
// end.
func ShareReset(text string) (earliest bool, ago time.Duration) {
	d, byDuration := strings.CutPrefix(text, "by_duration:")
	if !byDuration {
		return text == "earliest", 0
	}
	units := map[byte]time.Duration{'D': 24 * time.Hour, 'H': time.Hour, 'M': time.Minute, 'S': time.Second}
	number := ""
	for _, c := range []byte(strings.ToUpper(d)) {
		unit, ok := units[c]
		switch {
		case ok:
			n, _ := strconv.ParseFloat(number, 64) // checked when it was set
			ago += time.Duration(n * float64(unit))
			number = ""
		case c == '.' || c >= '0' && c <= '9':
			number += string(c)
		}
	}
	return false, ago
}

// AlterGroup is IncrementalAlterConfigs on a group: it returns the new
// overrides. An empty group name is for the caller to refuse.
func AlterGroup(overrides map[string]string, ops []Op, b *Broker) (map[string]string, *Error) {
	if err := CheckOps(ops); err != nil {
		return nil, err
	}
	next, err := apply(overrides, ops, func(name string) *Def { return groupByName[name] }, notList)
	if err != nil {
		return nil, err
	}
	if err := checkGroup(next, b); err != nil {
		return nil, err
	}
	return next, nil
}

func checkGroup(overrides map[string]string, b *Broker) *Error {
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		if groupByName[name] == nil {
			return invalidConfig("Unknown group config name: " + name)
		}
	}
	values := map[string]int{}
	for _, d := range groupDefs {
		text, ok := overrides[d.Name]
		if !ok {
			text = groupValue(d, nil, b)
		}
		v, err := d.parse(text)
		if err != nil {
			return err
		}
		n, _ := v.(int64)
		values[d.Name] = int(n)
	}
	for i := range groupTable {
		g := &groupTable[i]
		low, high := g.bounds()
		if low != "" && values[g.name] < b.Int(low) {
			return invalidConfig(g.name + " must be greater than or equal to " + low)
		}
		if high != "" && values[g.name] > b.Int(high) {
			return invalidConfig(g.name + " must be less than or equal to " + high)
		}
	}
	for _, family := range groupFamilies {
		session, heartbeat := family+".session.timeout.ms", family+".heartbeat.interval.ms"
		if values[session] <= values[heartbeat] {
			return invalidConfig(session + " must be greater than " + heartbeat)
		}
	}
	return nil
}

var metricsDefs = []*Def{
	{Name: "interval.ms", Type: TypeInt, Default: new("300000"), Doc: "How often matching clients push their metrics."},
	{Name: "match", Type: TypeList, Default: new(""), Doc: "Which clients the subscription is for, as name=pattern pairs; empty: all."},
	{Name: "metrics", Type: TypeList, Default: new(""), Doc: "Prefixes of the names of the metrics asked for."},
}

// DescribeClientMetrics lists the configs of a client metrics subscription, by
// name. One that nobody configured has the defaults.
func DescribeClientMetrics(overrides map[string]string) []Entry {
	entries := make([]Entry, 0, len(metricsDefs))
	for _, d := range metricsDefs {
		e := newEntry(d)
		e.Value = d.Default
		if text, ok := overrides[d.Name]; ok {
			e.Value, e.Source = &text, ClientMetricsConfig
			e.Synonyms = []SynonymEntry{{d.Name, &text, ClientMetricsConfig}}
		}
		entries = append(entries, e)
	}
	return entries
}

// AlterClientMetrics is IncrementalAlterConfigs on a client metrics
// subscription: it returns the new overrides. Kafka refuses Append and
// Subtract for all its keys.
func AlterClientMetrics(overrides map[string]string, ops []Op) (map[string]string, *Error) {
	if err := CheckOps(ops); err != nil {
		return nil, err
	}
	next, err := apply(overrides, ops, func(string) *Def { return nil }, notList)
	if err != nil {
		return nil, err
	}
	if err := checkClientMetrics(next); err != nil {
		return nil, err
	}
	return next, nil
}

// clientMatchers are the names that a match pattern may have
// (ClientMetricsConfigs).
var clientMatchers = []string{MatchInstanceID, MatchClientID, MatchSoftwareName, MatchSoftwareVersion, MatchSourceAddress, MatchSourcePort}

func checkClientMetrics(overrides map[string]string) *Error {
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		i := slices.IndexFunc(metricsDefs, func(d *Def) bool { return d.Name == name })
		if i < 0 {
			return invalidRequest("Unknown client metrics configuration: " + name)
		}
		v, err := metricsDefs[i].parse(overrides[name])
		if err != nil {
			return err
		}
		switch name {
		case "interval.ms":
			if n, _ := v.(int64); n < 100 || n > 3600000 {
				return invalidRequest("Invalid value " + overrides[name] + " for interval.ms, interval must be between 100 and 3600000 (1 hour)")
			}
		case "match":
			for _, pair := range v.([]string) {
				key, pattern, ok := strings.Cut(pair, "=")
				if _, err := regexp.Compile(strings.TrimSpace(pattern)); !ok || err != nil || !slices.Contains(clientMatchers, strings.TrimSpace(key)) {
					return invalidConfig("Illegal client matching pattern: " + pair)
				}
			}
		}
	}
	return nil
}
