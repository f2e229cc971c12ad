package ui

// This file owns what lists have in common: their order, and one page of them
// at a time. Both are in the page's address.

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// sortable is a column that rows can be sorted by.
type sortable[R any] struct {
	name    string
	compare func(a, b R) int
}

// column is the head of a column: a link that sorts by it.
type column struct {
	Name      string
	Link      string // query; what it is sorted by already turns round
	Direction string // ascending or descending, as ARIA calls it; empty: the rows have another order
}

// sortBy puts rows in the order that the request asks for: by a column, or
// largest first with a - before it. The first column is what is left to say
// when it names none.
func sortBy[R any](r *http.Request, rows []R, columns []sortable[R]) (sort string, heads []column) {
	name, down := strings.CutPrefix(r.Form.Get("sort"), "-")
	by := max(0, slices.IndexFunc(columns, func(c sortable[R]) bool { return c.name == name }))
	if columns[by].name != name {
		down = false
	}
	slices.SortStableFunc(rows, func(a, b R) int {
		if c := columns[by].compare(a, b); c != 0 {
			if down {
				return -c
			}
			return c
		}
		return columns[0].compare(a, b)
	})
	for i, c := range columns {
		head := column{Name: c.name}
		next := c.name
		if i > 0 {
			next = "-" + next // numbers: the largest first
		}
		if i == by {
			head.Direction = "ascending"
			if next = "-" + c.name; down {
				head.Direction, next = "descending", c.name
			}
		}
		q := queryOf(r)
		q.Del("from")
		q.Set("sort", next)
		head.Link = "?" + q.Encode()
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
