package diff

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestPatternsMatchWithStars(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "anything", true},
		{"*", "", true},
		{"a.b", "a.b", true},
		{"a.b", "axb", false},
		{"*[x].Name", "Topics[0].Parts[x].Name", true},
		{"Topics[*].Error", "Topics[$t].Error", true},
		{"Topics[*].Error", "Topics[$t].Errors", false},
		{"cut: *", "cut: 3 of\n4", true},
	} {
		if got := like(c.pattern, c.s); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.pattern, c.s, got, c.want)
		}
	}
}

func TestOnlyTrueRowsOfATableCount(t *testing.T) {
	found := []difference{
		{script: "s", step: "one", version: 3, path: "A", ref: "1", sub: "2"},
		{script: "s", step: "one", version: 4, path: "A", ref: "1", sub: "2"},
		{script: "s", step: "two", version: 3, path: "B", ref: "1", sub: "9"},
	}
	table := []meant{
		{script: "s", path: "A", to: 3, why: "versions up to 3"},
		{path: "B", sub: "9", why: "by value"},
		{path: "B", sub: "8", why: "another value"},
		{script: "other", why: "another script"},
	}
	left, unused := judge(found, table)
	if !reflect.DeepEqual(left, found[1:2]) {
		t.Errorf("left are %v", left)
	}
	if !reflect.DeepEqual(unused, table[2:]) {
		t.Errorf("unused are %v", unused)
	}
}

func TestWhatIsMissingIsOneDifference(t *testing.T) {
	look := func(resp *kmsg.MetadataResponse) []line {
		return newView(&target{nodeID: 1}, "-x").lines("ask", resp, 0, nil)
	}
	topic := func(name string, code int16) kmsg.MetadataResponseTopic {
		r := kmsg.NewMetadataResponseTopic()
		r.Topic, r.ErrorCode = &name, code
		return r
	}
	two, one := kmsg.NewPtrMetadataResponse(), kmsg.NewPtrMetadataResponse()
	two.Topics = []kmsg.MetadataResponseTopic{topic("a", 0), topic("b", 3)}
	one.Topics = []kmsg.MetadataResponseTopic{topic("b", 5)}
	got := compare("s", 7, []seen{{"ask", look(two)}}, []seen{{"ask", look(one)}})
	want := []difference{
		{"s", "ask", 7, "Topics[a]", there, absent},
		{"s", "ask", 7, "Topics[b].ErrorCode", "3 UNKNOWN_TOPIC_OR_PARTITION", "5 LEADER_NOT_AVAILABLE"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got = compare("s", 7, []seen{{"ask", []line{{answered, "closed"}}}}, []seen{{"ask", look(one)}})
	if want = []difference{{"s", "ask", 7, answered, "closed", "yes"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got = compare("s", 7, nil, []seen{{"ask", look(one)}})
	if want = []difference{{"s", "ask", 7, answered, "not recorded", "yes"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestIDsAreNamedWhereTheyAreFirstSeen(t *testing.T) {
	v := newView(&target{}, "-x")
	join := kmsg.NewPtrJoinGroupResponse()
	join.MemberID = "diff-6f9619ff-8b86-d011-b42d-00cf4fc964ff"
	v.lines("first", join, 0, nil)
	join.LeaderID = join.MemberID
	lines := v.lines("second", join, 0, nil)
	want := line{"LeaderID", `"diff-<MemberID of \"first\">"`}
	if !slices.Contains(lines, want) {
		t.Errorf("%v has no %v", lines, want)
	}
	join.LeaderID = "diff-aaaaaaaa-8b86-d011-b42d-00cf4fc964ff"
	if lines := v.lines("third", join, 0, nil); slices.Contains(lines, want) {
		t.Error("another id has the same name")
	}
}

func TestARecordingReadsAsItWasWritten(t *testing.T) {
	r := newRecording(map[int16][2]int16{0: {3, 13}, 18: {0, 4}})
	for _, v := range []int16{3, 4, 6} {
		r.add("s", v, []seen{{"one", []line{{"A", `"x y"`}, {"V", fmt.Sprint(v)}}}, {"two", []line{{answered, "closed"}}}})
	}
	file := filepath.Join(t.TempDir(), "r")
	if err := r.write(file, []script{{name: "s", steps: []step{{name: "one"}, {name: "two"}}}}); err != nil {
		t.Fatal(err)
	}
	got, err := readRecording(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("got %+v, want %+v", got, r)
	}
	if v := got.value(&difference{script: "s", step: "one", version: 1, path: "V"}); v != "3" {
		t.Errorf("the nearest version's value is %q, want 3", v)
	}
}

func TestVersionsAreShortened(t *testing.T) {
	for text, versions := range map[string][]int16{"v3": {3}, "v3-5": {3, 4, 5}, "v0,v3-4,v9": {0, 3, 4, 9}} {
		if got := versionsText(slices.Clone(versions)); got != text {
			t.Errorf("%v is %q, want %q", versions, got, text)
		}
		if got, err := parseVersions(text); err != nil || !slices.Equal(got, versions) {
			t.Errorf("%q is %v, %v, want %v", text, got, err, versions)
		}
	}
}

func TestAReportTellsOfAllVersionsAtOnce(t *testing.T) {
	p := &pair{&target{name: "left"}, &target{name: "right"}}
	d := difference{script: "s", step: "one", version: 3, path: "A", ref: "1", sub: "2"}
	e := d
	e.version = 4
	if got := report(p, []difference{d, e}); strings.Count(got, "A\n") != 1 || !strings.Contains(got, "v3-4") {
		t.Errorf("got %s", got)
	}
}

func TestNamesInATextMayComeInAnyOrder(t *testing.T) {
	look := func(detail string) []line {
		resp := kmsg.NewPtrStreamsGroupHeartbeatResponse()
		status := kmsg.NewStreamsGroupHeartbeatResponseStatus()
		status.StatusDetail = detail
		resp.Status = append(resp.Status, status)
		v := newView(&target{nodeID: 1}, "-x")
		v.names["r-x"], v.names["c-x"] = "$r", "$c"
		return v.lines("ask", resp, 0, nil)
	}
	if a, b := look("Internal topics are missing: r-x, c-x"), look("Internal topics are missing: c-x, r-x"); !reflect.DeepEqual(a, b) {
		t.Errorf("%v is not %v", a, b)
	}
	if a, b := look("Source topics are missing: r-x, c-x"), look("Source topics are missing: c-x, r-x"); reflect.DeepEqual(a, b) {
		t.Errorf("any text's names are put in order: %v", a)
	}
}
