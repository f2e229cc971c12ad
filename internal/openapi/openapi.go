// Package openapi has what descriptions in OpenAPI 3.1 have in common: that of the
// HTTP API (api/schema.go) and that of the pages as JSON (ui/openapi.go).
package openapi

import "strings"

// PathParameters are the parameters of a path as net/http has them, a segment
// such as {topic} each, in their order; nil if there are none.
func PathParameters(path string) []any {
	var all []any
	for segment := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			all = append(all, map[string]any{
				"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true,
				"schema": map[string]any{"type": "string"},
			})
		}
	}
	return all
}
