package group

import (
	"errors"
	"iter"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"
)

// This file owns what a consumer group subscribes to: by name and by regular
// expression, and which of it exists.

// Cluster is the topics that exist at one moment.
type Cluster struct {
	// Version grows when topics or their partitions change.
	Version uint64
	Lookup  Lookup
	// All goes over the topics in the order of their names.
	All iter.Seq[Topic]
}

// regex is a pattern that members subscribe to, and the topics it finds.
type regex struct {
	re      *regexp.Regexp
	members int
	topics  []string // sorted
	stored  bool
}

// compile makes a pattern of what a member wants to subscribe to. It must match
// whole names, as RE2/J's Matcher.matches does.
func compile(pattern string) (*regexp.Regexp, *refusal) {
	// By itself first, so that the text of an error is about it alone.
	_, err := regexp.Compile(pattern)
	if err == nil {
		var re *regexp.Regexp
		if re, err = regexp.Compile(`\A(?:` + pattern + `)\z`); err == nil {
			return re, nil
		}
	}
	why := err.Error()
	if wrong := (*syntax.Error)(nil); errors.As(err, &wrong) {
		why = wrong.Code.String() // as in RE2/J's words, mostly
	}
	return nil, refuse(kerr.InvalidRegularExpression, "SubscribedTopicRegex `%s` is not a valid regular expression: %s.", pattern, why)
}

// setNames changes the topics that a member subscribes to by name, and tells
// whether there are others now.
func (g *Consumer) setNames(m *consumer, names []string) bool {
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	if slices.Equal(m.names, names) {
		return false
	}
	m.names = slices.Clip(names)
	// Most groups subscribe alike: one list will do.
	if len(g.order) > 0 && slices.Equal(g.order[0].names, names) {
		m.names = g.order[0].names
	}
	return true
}

// setRegex changes the pattern that a member subscribes to; re is its compiled
// form if no other member has it.
func (g *Consumer) setRegex(m *consumer, pattern string, re *regexp.Regexp) (changed bool) {
	if m.regex == pattern {
		return false
	}
	if old := g.regexes[m.regex]; old != nil {
		if old.members--; old.members == 0 {
			delete(g.regexes, m.regex)
			g.storeNothing(aboutPattern, &m.regex)
		}
	}
	m.regex = pattern
	if pattern == "" {
		return true
	}
	if g.regexes == nil {
		g.regexes = make(map[string]*regex)
	}
	if g.regexes[pattern] == nil {
		g.regexes[pattern] = &regex{re: re}
		g.seen = 0 // it must be resolved
	}
	g.regexes[pattern].members++
	return true
}

// refreshTopics looks up what the group subscribes to, and tells whether there
// are other topics or partitions than before.
func (g *Consumer) refreshTopics(cluster Cluster) bool {
	if cluster.Version != g.seen {
		g.seen = cluster.Version
		g.resolvePatterns(cluster)
	}
	topics := g.existing(cluster.Lookup)
	if slices.Equal(g.topics, topics) {
		return false
	}
	g.setTopics(topics)
	return true
}

// existing is what the members subscribe to and exists.
func (g *Consumer) existing(lookup Lookup) (topics []Topic) {
	for _, name := range g.subscribedNames() {
		if t := lookup(name, [16]byte{}); t.Err == 0 {
			topics = append(topics, t)
		}
	}
	return topics
}

// resolvePatterns finds the topics of each pattern.
func (g *Consumer) resolvePatterns(cluster Cluster) {
	if len(g.regexes) == 0 {
		return
	}
	found := make(map[string][]string, len(g.regexes))
	for t := range cluster.All {
		for pattern, r := range g.regexes {
			if r.re.MatchString(t.Name) {
				found[pattern] = append(found[pattern], t.Name)
			}
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(g.regexes)) {
		r := g.regexes[pattern]
		if !r.stored || !slices.Equal(r.topics, found[pattern]) {
			g.storePattern(pattern, found[pattern])
		}
		r.topics, r.stored = found[pattern], true
	}
}

func (g *Consumer) setTopics(topics []Topic) {
	g.topics = topics
	g.byID = make(map[[16]byte]int, len(topics))
	for i := range topics {
		g.byID[topics[i].ID] = i
	}
	for id := range g.owners { // a deleted topic's owners, once they gave it up
		if _, ok := g.byID[id]; !ok && !slices.ContainsFunc(g.owners[id], func(o owner) bool { return o.m != nil }) {
			delete(g.owners, id)
		}
	}
}

// forgetTopics drops what nobody subscribes to any more.
func (g *Consumer) forgetTopics() {
	names := g.subscribedNames()
	left := slices.DeleteFunc(slices.Clone(g.topics), func(t Topic) bool {
		_, found := slices.BinarySearch(names, t.Name)
		return !found
	})
	if len(left) < len(g.topics) {
		g.setTopics(left)
	}
}

// subscribedNames is what the members subscribe to, sorted.
func (g *Consumer) subscribedNames() []string {
	var all []string
	for i, m := range g.order {
		if i == 0 || !sameNames(m.names, g.order[i-1].names) {
			all = append(all, m.names...)
		}
	}
	for _, r := range g.regexes {
		all = append(all, r.topics...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// subscribes tells whether a member subscribes to a topic.
func (g *Consumer) subscribes(m *consumer, name string) bool {
	if _, found := slices.BinarySearch(m.names, name); found {
		return true
	}
	if r := g.regexes[m.regex]; r != nil {
		_, found := slices.BinarySearch(r.topics, name)
		return found
	}
	return false
}

// subscribesID is subscribes for a topic's id. Nobody subscribes to a topic
// that does not exist.
func (g *Consumer) subscribesID(m *consumer, id [16]byte) bool {
	i, ok := g.byID[id]
	return ok && g.subscribes(m, g.topics[i].Name)
}

// isSubscribed tells whether any member consumes the topic.
func (g *Consumer) isSubscribed(topic string) bool {
	for i, m := range g.order {
		if i > 0 && sameNames(m.names, g.order[i-1].names) && m.regex == g.order[i-1].regex {
			continue
		}
		if g.subscribes(m, topic) {
			return true
		}
	}
	return false
}

// sameNames tells whether two lists are the same memory, which is what members
// have that subscribe alike.
func sameNames(a, b []string) bool {
	return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b)
}
