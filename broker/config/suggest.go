package config

// This file owns "did you mean": the known name nearest to a mistyped one.

// SuggestTopic is the topic config whose name is nearest to name, or "" where
// none is near. A broker's name for a topic config is answered with the
// topic's own.
func SuggestTopic(name string) string {
	for _, d := range topicDefs {
		for _, s := range d.Synonyms {
			if s.Name == name {
				return d.Name
			}
		}
	}
	return nearest(name, topicDefs)
}

// SuggestBroker is the broker config whose name is nearest to name, or "". A
// topic config is answered with the broker's name for it.
func SuggestBroker(name string) string {
	if d, ok := topicByName[name]; ok && len(d.Synonyms) > 0 {
		return d.Synonyms[0].Name
	}
	return nearest(name, brokerDefs)
}

func nearest(name string, defs []*Def) string {
	best, limit := "", max(2, len(name)/4)+1
	for _, d := range defs {
		if n := distance(name, d.Name, limit); n < limit {
			best, limit = d.Name, n
		}
	}
	return best
}

// distance is the number of letters to add, drop or change (Levenshtein), or
// limit where it is at least that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return min(row[len(b)], limit)
}
