package storage

// SkipTo makes offset the one that the next record will get, as if records had
// been there that compaction removed. An offset that is not behind the end
// changes nothing.
func (l *Log) SkipTo(offset int64) {
	v := l.view.Load()
	if offset <= v.endOffset() {
		return
	}
	next := *v
	next.end = offset
	l.view.Store(&next)
}
