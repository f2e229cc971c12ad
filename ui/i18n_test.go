package ui

import (
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"minibroker/broker"
	"minibroker/broker/auth"
	"minibroker/broker/fault"
)

// composed are the beginnings of keys that are put together when a page is made.
var composed = []string{"api.", "doctor.", "fault.", "kind.", "export.", "mode.", "decode.", "control.", "theme.", "reset.", "done.", "problem.", "why.", "explain.", "preset.", "filter.", "event."}

func TestEveryTextIsInEveryLanguage(t *testing.T) {
	want := slices.Sorted(maps.Keys(languages()["en"].texts))
	verbs := regexp.MustCompile(`%[sd]`)
	for code, l := range languages() {
		if got := slices.Sorted(maps.Keys(l.texts)); !slices.Equal(got, want) {
			for _, key := range want {
				if l.texts[key] == "" {
					t.Errorf("%s lacks %q", code, key)
				}
			}
			for _, key := range got {
				if languages()["en"].texts[key] == "" {
					t.Errorf("%s has %q, which en lacks", code, key)
				}
			}
		}
		for key, text := range l.texts {
			if !slices.Equal(verbs.FindAllString(text, -1), verbs.FindAllString(languages()["en"].texts[key], -1)) {
				t.Errorf("%s puts other values into %q than en: %q", code, key, text)
			}
		}
	}
}

func TestEveryTextThatIsAskedForExistsAndNoOther(t *testing.T) {
	used := map[string]bool{}
	find := func(pattern, file string, add func(key string)) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(raw), -1) {
			add(m[1])
		}
	}
	templates, _ := filepath.Glob("templates/*.html")
	for _, file := range templates {
		find(`\bt "([^"]+)"`, file, func(key string) { used[key] = true })
		find(`\bplural "([^"]+)"`, file, func(key string) { used[key+".one"], used[key+".other"] = true, true })
	}
	sources, _ := filepath.Glob("*.go")
	for _, file := range sources {
		if !strings.HasSuffix(file, "_test.go") {
			find(`"(keys\.[a-z.]+[a-z])"`, file, func(key string) { used[key] = true })
			find(`l\.text\("([a-z.]+[a-z])"`, file, func(key string) { used[key] = true })
			find(`"(problem\.[a-z.]+[a-z])"`, file, func(key string) { used[key] = true })
			find(`done=([a-z.]+)"`, file, func(key string) { used["done."+key] = true })
		}
	}
	for _, list := range []struct {
		prefix string
		names  []string
	}{{"explain.", findings}, {"wire.family.", families}, {"mode.", modes}, {"next.", nextPages}, {"decode.", decodings}, {"export.", exportFormats}, {"fault.", fault.Kinds}, {"preset.", presetNames}, {"filter.", filterAdvice}, {"event.", eventKinds}, {"event.broker.", []string{"up", "down"}}, {"doctor.state.", doctorStates}, {"doctor.why.", doctorReasons}, {"doctor.advice.", doctorReasons}, {"doctor.says.", doctorStates[3:]}, {"reset.", resetModes}, {"theme.", (&frame{}).Themes()}, {"security.tab.", securityTabs}, {"acl.kind.", aclKinds}, {"acl.kind.", with(aclKinds, ".help")}, {"pattern.", aclPatterns}, {"rule.", with(auth.RuleNames, "")}, {"login.", with(broker.LoginCauses, "")}, {"control.", []string{"commit", "abort"}}} {
		for _, name := range list.names {
			used[list.prefix+name] = true
		}
	}
	for _, kind := range fault.Kinds {
		used["fault."+kind+".help"] = true
	}
	for _, name := range presetNames {
		used["preset."+name+".see"] = true
	}
	for _, state := range shareStates {
		used["share."+state], used["share."+state+".means"] = true, true
	}
	for _, list := range [][]column{heads("", userColumns), heads("", aclColumns), heads("", topicColumns), heads("", partitionColumns), heads("", producerColumns), heads("", consumerColumns), heads("", groupColumns),
		heads("", memberColumns), heads("", offsetColumns), heads("", shareColumns), heads("", brokerColumns), heads("", transactionColumns), heads("", doctorColumns)} {
		for _, c := range list {
			used[c.Text] = true
		}
	}
	for _, name := range counted {
		used["count."+name+".one"], used["count."+name+".other"] = true, true
	}
	for _, name := range []string{"topic", "partition", "group", "transaction.id", "client", "broker"} { // what a fault is narrowed to
		used[name] = true
	}
	texts := languages()[fallback].texts
	for key := range used {
		if texts[key] == "" {
			t.Errorf("%q has no text", key)
		}
	}
	for key := range texts {
		if !used[key] && !slices.ContainsFunc(composed, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("nothing shows %q", key)
		}
	}
}

// with is each name with something behind it.
func with[T ~string](all []T, behind string) (texts []string) {
	for _, one := range all {
		texts = append(texts, string(one)+behind)
	}
	return texts
}

func TestTheLanguageIsTheReaders(t *testing.T) {
	for _, c := range []struct{ accept, cookie, want string }{
		{"", "", "en"}, {"fr", "", "fr"}, {"fr-CA,en;q=0.8", "", "fr"}, {"de,fr;q=0.5,en;q=0.7", "", "en"}, {"de", "", "en"},
		{"fr", "en", "en"}, {"en", "fr", "fr"}, {"fr", "xx", "fr"}, {"fr;q=x", "", "en"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.Header.Set("Cookie", "minibroker_lang="+c.cookie)
		}
		if got := languageOf(r).code; got != c.want {
			t.Errorf("a reader with %q and cookie %q gets %s, want %s", c.accept, c.cookie, got, c.want)
		}
	}
}

func TestNumbersAreWrittenAsInTheLanguage(t *testing.T) {
	en, fr := languages()["en"], languages()["fr"]
	for _, c := range []struct{ got, want string }{
		{en.number(-1234567), "-1,234,567"}, {fr.number(1234567), "1\u202f234\u202f567"}, {en.number(999), "999"},
		{en.size(999), "999\u00a0B"}, {en.size(1500), "1.5\u00a0KB"}, {fr.size(1500), "1,5\u00a0Ko"},
		{en.plural("topics.count", 1), "1 topic"}, {en.plural("topics.count", 0), "0 topics"}, {fr.plural("topics.count", 0), "0 topic"},
		{fr.decimal(1.25), "1,250"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
