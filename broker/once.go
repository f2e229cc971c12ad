package broker

import "iter"

// eachOnce walks a request's entries, one for each key, and says whether the
// key came more than once: Kafka refuses such an entry, with one answer.
func eachOnce[T any](entries []T, key func(*T) string) iter.Seq2[*T, bool] {
	return func(yield func(*T, bool) bool) {
		times := make(map[string]int, len(entries))
		for i := range entries {
			times[key(&entries[i])]++
		}
		for i := range entries {
			k := key(&entries[i])
			n := times[k]
			if n == 0 {
				continue
			}
			times[k] = 0
			if !yield(&entries[i], n > 1) {
				return
			}
		}
	}
}
