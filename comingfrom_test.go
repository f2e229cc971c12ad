package minibroker_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every call of minibroker that a page's tables name in code is there.
func TestTheCallsThatTheDocsNameAreThere(t *testing.T) {
	var code strings.Builder
	for _, pattern := range []string{"broker/*.go", "broker/fault/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(text)
		}
	}
	named := regexp.MustCompile("`[^`]*`")
	call := regexp.MustCompile(`(?:^|\W)(?:b|broker|fault)\.([A-Z]\w*)`)
	for _, page := range []string{"docs/coming-from.md", "docs/testing.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			for _, inline := range named.FindAllString(line, -1) {
				for _, m := range call.FindAllStringSubmatch(inline, -1) {
					n++
					if !regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type |const )` + m[1] + `\b`).MatchString(code.String()) {
						t.Errorf("%s names %s, which is not there", page, m[1])
					}
				}
			}
		}
		if n < 10 {
			t.Errorf("%s names %d calls: the test reads it wrongly", page, n)
		}
	}
}
