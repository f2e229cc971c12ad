package fault

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

// Kinds are the names of what a Spec's fault can do.
var Kinds = []string{"fail", "delay", "drop", "lose-answer", "cut-answer", "throttle", "hold", "corrupt", "slow-request", "slow-answer"}

// Spec is a Fault in words, for those who write it in JSON or fill in a form.
type Spec struct {
	Kind          string `json:"kind" enum:"fail,delay,drop,lose-answer,cut-answer,throttle,hold,corrupt,slow-request,slow-answer" doc:"fail: answer with an error and do nothing. delay: wait before the request is handled. drop: close the connection before it is handled. lose-answer: handle it, then close the connection in place of the answer. cut-answer: send half of the answer. throttle: tell the client to be silent. hold: keep requests until release. corrupt: change a byte of a Fetch's records. slow-request: handle it when it would have come at a rate. slow-answer: send the answer at a rate."`
	API           string `json:"api,omitempty" doc:"Kafka's name of the API, such as Produce, or any. Of corrupt it is Fetch."`
	Error         string `json:"error,omitempty" doc:"Of fail: Kafka's name of the error, or its code."`
	Wait          string `json:"wait,omitempty" doc:"Of delay and throttle: how long, such as 250ms or 1m30s."`
	Rate          int    `json:"rate,omitempty" doc:"Of slow-request and slow-answer: bytes per second."`
	Topic         string `json:"topic,omitempty" doc:"Only requests that name the topic, and their part about it."`
	Partition     *int32 `json:"partition,omitempty" doc:"Only this partition."`
	Group         string `json:"group,omitempty" doc:"Only requests about this group."`
	ClientID      string `json:"client_id,omitempty" doc:"Only requests with this client id."`
	Transactional string `json:"transactional_id,omitempty" doc:"Only requests of this transactional id."`
	Broker        *int32 `json:"broker,omitempty" doc:"Only requests that this logical broker gets."`
	Times         int    `json:"times,omitempty" doc:"How many requests it hits; none: one."`
	Always        bool   `json:"always,omitempty" doc:"It hits all requests until it is removed."`
	After         int    `json:"after,omitempty" doc:"How many requests it lets pass first."`
	Every         int    `json:"every,omitempty" doc:"It hits one in so many requests: with 10, the tenth, the twentieth and so on; none: each."`
	Optional      bool   `json:"optional,omitempty" doc:"It is no failure of a test if it never happens."`
}

// SpecError says what cannot be in a Spec.
type SpecError struct {
	Field  string // its name in JSON
	Detail string // a sentence
	Remedy string // what to write
}

func (e *SpecError) Error() string { return e.Detail + " " + e.Remedy }

// plain makes names of errors and APIs comparable, however they are written.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.TrimSuffix(strings.ToLower(name), "exception"))
}

// errorsByName are Kafka's errors, by their plain names and their codes.
var errorsByName = sync.OnceValue(func() map[string]*kerr.Error {
	names := map[string]*kerr.Error{}
	for code := -1; code < 256; code++ {
		if e := kerr.TypedErrorForCode(int16(code)); e != nil && e.Code == int16(code) {
			names[plain(e.Message)] = e
			names[strconv.Itoa(code)] = e
		}
	}
	names[plain("NOT_LEADER_OR_FOLLOWER")] = kerr.NotLeaderForPartition
	names["-1"] = kerr.UnknownServerError
	return names
})

// Fault is what the spec describes, or a *SpecError.
func (s *Spec) Fault() (Fault, error) {
	var f Fault
	bad := func(field, detail, remedy string) (Fault, error) { return f, &SpecError{field, detail, remedy} }
	name := s.API
	if s.Kind == "corrupt" && name == "" {
		name = "Fetch"
	}
	known := plain(name) == "any"
	key := Any
	for _, api := range protocol.APIs() {
		if plain(api.Name) == plain(name) {
			key, known = kmsg.Key(api.Key), true
		}
	}
	if !known {
		return bad("api", fmt.Sprintf("There is no API %q.", name), "Use Kafka's names, such as Produce, Fetch, JoinGroup or OffsetCommit, or any.")
	}
	var wait time.Duration
	if s.Kind == "delay" || s.Kind == "throttle" {
		var err error
		if wait, err = time.ParseDuration(s.Wait); err != nil || wait < 0 {
			return bad("wait", fmt.Sprintf("wait cannot be %q.", s.Wait), "Write how long, such as 250ms or 1m30s.")
		}
	}
	if slow := strings.HasPrefix(s.Kind, "slow-"); slow && s.Rate <= 0 {
		return bad("rate", "rate is missing.", "Say how many bytes per second, such as 1000.")
	}
	switch s.Kind {
	case "fail":
		e := errorsByName()[plain(s.Error)]
		if e == nil {
			e = errorsByName()[s.Error]
		}
		if e == nil {
			return bad("error", fmt.Sprintf("There is no error %q.", s.Error), "Use Kafka's names, such as NOT_LEADER_OR_FOLLOWER, or the code.")
		}
		f = Fail(key, e)
	case "delay":
		f = Delay(key, wait)
	case "drop":
		f = Drop(key)
	case "lose-answer":
		f = LoseAnswer(key)
	case "cut-answer":
		f = CutAnswer(key)
	case "throttle":
		f = Throttle(key, wait)
	case "hold":
		f = Hold(key)
	case "corrupt":
		if key != kmsg.Fetch {
			return bad("api", "Only Fetch has records to corrupt.", "Leave api out.")
		}
		f = Corrupt()
	case "slow-request":
		f = SlowRequest(key, s.Rate)
	case "slow-answer":
		f = SlowAnswer(key, s.Rate)
	default:
		return bad("kind", fmt.Sprintf("There is no kind of fault %q.", s.Kind), "Use "+strings.Join(Kinds[:len(Kinds)-1], ", ")+" or "+Kinds[len(Kinds)-1]+".")
	}
	f.Topic, f.Group, f.TransactionalID, f.ClientID, f.MayMiss = s.Topic, s.Group, s.Transactional, s.ClientID, s.Optional
	if s.Partition != nil {
		f = f.OnPartition(*s.Partition)
	}
	if s.Broker != nil {
		f = f.ToBroker(*s.Broker)
	}
	switch {
	case s.Times < 0 || s.After < 0 || s.Every < 0:
		return bad("times", "times, after and every are numbers of requests.", "Use 0 or more.")
	case s.Always:
		f = f.Always()
	case s.Times > 0:
		f = f.Times(s.Times)
	}
	return f.After(s.After).Every(s.Every), nil
}
