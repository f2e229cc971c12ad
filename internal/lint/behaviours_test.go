package lint

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Apache Kafka was watched in 253 situations, which are numbered. Tests that
// prove that minibroker does the same say so: "behaviour 53", "behaviours 3 and
// 7-9". This file holds the list complete.
const behaviours = 253

// otherwise are the behaviours in which minibroker differs on purpose, by the
// first cell of the row of docs/differences.md that says so.
var otherwise = map[int]string{
	253: "DescribeUserScramCredentials for all users, without permission",
	138: "CreatePartitions that adds more than 10,000",
	205: "a share group's first heartbeats",
}

func TestEachBehaviourOfApacheKafkaIsProved(t *testing.T) {
	root := "../.."
	quoted := make(map[int]bool)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		isTest := strings.HasSuffix(rel, "_test.go") || strings.HasPrefix(rel, "test"+string(filepath.Separator)) && strings.HasSuffix(rel, ".go") ||
			strings.Contains(rel, "testdata") && strings.HasSuffix(rel, ".txt")
		if d.IsDir() || !isTest || rel == filepath.Join("internal", "lint", "behaviours_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, n := range quotedIn(string(text)) {
			quoted[n] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "differences.md"))
	if err != nil {
		t.Fatal(err)
	}
	for n, row := range otherwise {
		if !strings.Contains(string(page), "| "+row+" |") {
			t.Errorf("behaviour %d is otherwise here, and docs/differences.md has no row %q", n, row)
		}
	}
	for n := 1; n <= behaviours; n++ {
		_, differs := otherwise[n]
		if !quoted[n] && !differs {
			t.Errorf("no test proves behaviour %d", n)
		}
	}
	for n := range quoted {
		if n < 1 || n > behaviours {
			t.Errorf("a test quotes behaviour %d, there are %d", n, behaviours)
		}
	}
}

var (
	quotes  = regexp.MustCompile(`behaviours? (\d+(?:(?:, | and |, and |-)\d+)*)`)
	numbers = regexp.MustCompile(`(\d+)(?:-(\d+))?`)
)

// quotedIn are the numbers in a text like "behaviours 3, 7-9 and 11".
func quotedIn(text string) (all []int) {
	for _, quote := range quotes.FindAllStringSubmatch(text, -1) {
		for _, n := range numbers.FindAllStringSubmatch(quote[1], -1) {
			from, _ := strconv.Atoi(n[1])
			to := from
			if n[2] != "" {
				to, _ = strconv.Atoi(n[2])
			}
			for ; from <= to; from++ {
				all = append(all, from)
			}
		}
	}
	return all
}

func TestQuotesOfBehavioursAreRead(t *testing.T) {
	for text, want := range map[string][]int{
		"// behaviour 53":                     {53},
		"{1, 2}, // behaviours 3, 7-9 and 11": {3, 7, 8, 9, 11},
		"the behaviour of 3 clients":          nil,
	} {
		if got := quotedIn(text); !slices.Equal(got, want) {
			t.Errorf("%q quotes %v, want %v", text, got, want)
		}
	}
}
