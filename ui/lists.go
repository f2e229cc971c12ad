package ui

// This file owns what lists have in common: their order, and one page of them
// at a time. Both are in the page's address.

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// sortable is a column that rows can be sorted by.
type sortable[R any] struct {
	name    string           // in the page's address
	text    string           // key of its head
	normal  bool             // what rows are sorted by where nothing is asked for; else it is the first column
	words   bool             // it is set as words are, not as numbers
	largest bool             // the largest come first
	compare func(a, b R) int // nil: nobody knows the order of all rows
}

// by makes a column of numbers that rows can be sorted by.
func by[R any, N cmp.Ordered](name string, of func(R) N) sortable[R] {
	return sortable[R]{name: name, text: name, largest: true, compare: func(a, b R) int { return cmp.Compare(of(a), of(b)) }}
}

// byWords makes a column of words that rows can be sorted by.
func byWords[R any](name string, of func(R) string) sortable[R] {
	return sortable[R]{name: name, text: name, words: true, compare: func(a, b R) int { return strings.Compare(of(a), of(b)) }}
}

// called gives a column another head than its name.
func (c sortable[R]) called(text string) sortable[R] { c.text = text; return c }

// set makes a column of numbers look like words.
func (c sortable[R]) set() sortable[R] { c.words = true; return c }

// column is the head of a column: a link that sorts by it.
type column struct {
	Name      string
	Text      string // key of its head
	Words     bool
	Link      string // query; what it is sorted by already turns round; empty: it cannot be sorted by
	Direction string // ascending or descending, as ARIA calls it; empty: the rows have another order
}

// asked is the column that a request wants a table sorted by, and whether it is
// turned round. A page's only table has no name.
func asked(r *http.Request, table string) (name string, down bool) {
	return strings.CutPrefix(r.Form.Get(sortField(table)), "-")
}

func sortField(table string) string {
	if table == "" {
		return "sort"
	}
	return table + ".sort"
}

// sortBy puts rows in the order that the request asks for: by a column, or
// turned round with a - before it.
func sortBy[R any](r *http.Request, table string, rows []R, columns []sortable[R]) (sort string, heads []column) {
	name, down := asked(r, table)
	normal := max(0, slices.IndexFunc(columns, func(c sortable[R]) bool { return c.normal }))
	by := slices.IndexFunc(columns, func(c sortable[R]) bool { return c.name == name && c.compare != nil })
	if by < 0 {
		by = normal
		down = false
	}
	slices.SortStableFunc(rows, func(a, b R) int {
		if c := columns[by].compare(a, b); c != 0 {
			if down {
				return -c
			}
			return c
		}
		return columns[normal].compare(a, b)
	})
	for i, c := range columns {
		head := column{Name: c.name, Text: c.text, Words: c.words}
		if c.compare == nil {
			heads = append(heads, head)
			continue
		}
		next := c.name
		if i != normal && c.largest {
			next = "-" + next
		}
		if i == by {
			head.Direction = "ascending"
			if next = "-" + c.name; down {
				head.Direction, next = "descending", c.name
			}
		}
		q := queryOf(r)
		q.Del("from")
		q.Set(sortField(table), next)
		head.Link = "?" + q.Encode()
		if table != "" {
			head.Link += "#" + table
		}
		heads = append(heads, head)
	}
	if sort = columns[by].name; down {
		sort = "-" + sort
	}
	return sort, heads
}

// paged says where the page of a list of n rows begins, and the queries of the
// pages before and after it; empty where there is none.
func paged(r *http.Request, n int) (from int, previous, next string) {
	from, _ = strconv.Atoi(r.Form.Get("from"))
	from = max(0, min(from, n))
	query := func(from int) string {
		q := queryOf(r)
		q.Set("from", strconv.Itoa(from))
		return "?" + q.Encode()
	}
	if from > 0 {
		previous = query(max(0, from-pageRows))
	}
	if from+pageRows < n {
		next = query(from + pageRows)
	}
	return from, previous, next
}

// queryOf is the page's address as it is, without what was only said once.
func queryOf(r *http.Request) url.Values {
	q := r.URL.Query()
	q.Del("done")
	return q
}
