package ui

import "sync"

// recentKept is how many of each kind of thing that happens are remembered, at
// least.
const recentKept = 1000

// recent are the newest of what happened.
type recent[T any] struct {
	mu  sync.Mutex
	all []T // oldest first
}

func (r *recent[T]) note(one T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) >= 2*recentKept {
		r.all = append(r.all[:0], r.all[len(r.all)-recentKept:]...)
	}
	r.all = append(r.all, one)
}

// newest are the latest that are wanted, newest first.
func (r *recent[T]) newest(wanted func(T) bool, most int) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	return newestOf(r.all, wanted, most)
}

// newestOf are the last of a list that are wanted, the last first.
func newestOf[T any](all []T, wanted func(T) bool, most int) []T {
	found := []T{}
	for i := len(all) - 1; i >= 0 && len(found) < most; i-- {
		if wanted(all[i]) {
			found = append(found, all[i])
		}
	}
	return found
}
