package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker"
	"minibroker/broker/fault"
	"minibroker/protocol"
)

// This file owns faults: what a test makes go wrong.

// FaultSpec is a fault to put in place. Package fault says what each kind does.
type FaultSpec struct {
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
	Optional      bool   `json:"optional,omitempty" doc:"It is no failure of a test if it never happens."`
}

// Fault is a fault in place.
type Fault struct {
	ID       int    `json:"id"`
	Sentence string `json:"sentence" doc:"What it does, in words."`
	Hits     int    `json:"hits" doc:"How many requests it has hit."`
	Released bool   `json:"released" doc:"Of hold: whether the gate is open."`
	Optional bool   `json:"optional"`
}

// FaultList is the faults in place.
type FaultList struct {
	Faults []Fault `json:"faults" doc:"In the order in which they were put in place."`
}

func faultOf(in *broker.Injected) Fault {
	f := in.Fault()
	return Fault{ID: in.ID(), Sentence: f.String(), Hits: in.Hits(), Released: in.Released() && f.Kind == fault.KindHold, Optional: f.MayMiss}
}

// plain makes names of errors and APIs comparable, however they are written.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.TrimSuffix(strings.ToLower(name), "exception"))
}

var errorNames = sync.OnceValue(func() map[string]*kerr.Error {
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

func (s *FaultSpec) fault() (fault.Fault, error) {
	var f fault.Fault
	bad := func(detail, remedy string) (fault.Fault, error) {
		return f, say(http.StatusBadRequest, detail, remedy)
	}
	if s.Kind == "corrupt" && s.API == "" {
		s.API = "Fetch"
	}
	known := plain(s.API) == "any"
	key := fault.Any
	for _, api := range protocol.APIs() {
		if plain(api.Name) == plain(s.API) {
			key, known = kmsg.Key(api.Key), true
		}
	}
	if !known {
		return bad(fmt.Sprintf("There is no API %q.", s.API), "Use Kafka's names, such as Produce, Fetch, JoinGroup or OffsetCommit, or any.")
	}
	var wait time.Duration
	if s.Kind == "delay" || s.Kind == "throttle" {
		var err error
		if wait, err = time.ParseDuration(s.Wait); err != nil || wait < 0 {
			return bad(fmt.Sprintf("wait cannot be %q.", s.Wait), "Write how long, such as 250ms or 1m30s.")
		}
	}
	if slow := strings.HasPrefix(s.Kind, "slow-"); slow && s.Rate <= 0 {
		return bad("rate is missing.", "Say how many bytes per second, such as 1000.")
	}
	switch s.Kind {
	case "fail":
		e := errorNames()[plain(s.Error)]
		if e == nil {
			e = errorNames()[s.Error]
		}
		if e == nil {
			return bad(fmt.Sprintf("There is no error %q.", s.Error), "Use Kafka's names, such as NOT_LEADER_OR_FOLLOWER, or the code.")
		}
		f = fault.Fail(key, e)
	case "delay":
		f = fault.Delay(key, wait)
	case "drop":
		f = fault.Drop(key)
	case "lose-answer":
		f = fault.LoseAnswer(key)
	case "cut-answer":
		f = fault.CutAnswer(key)
	case "throttle":
		f = fault.Throttle(key, wait)
	case "hold":
		f = fault.Hold(key)
	case "corrupt":
		if key != kmsg.Fetch {
			return bad("Only Fetch has records to corrupt.", "Leave api out.")
		}
		f = fault.Corrupt()
	case "slow-request":
		f = fault.SlowRequest(key, s.Rate)
	case "slow-answer":
		f = fault.SlowAnswer(key, s.Rate)
	default:
		return bad(fmt.Sprintf("There is no kind of fault %q.", s.Kind), "Use fail, delay, drop, lose-answer, cut-answer, throttle, hold, corrupt, slow-request or slow-answer.")
	}
	if s.Topic != "" {
		f = f.OnTopic(s.Topic)
	}
	if s.Partition != nil {
		f = f.OnPartition(*s.Partition)
	}
	if s.Group != "" {
		f = f.OnGroup(s.Group)
	}
	if s.Transactional != "" {
		f = f.OnTransaction(s.Transactional)
	}
	if s.ClientID != "" {
		f = f.FromClient(s.ClientID)
	}
	if s.Broker != nil {
		f = f.ToBroker(*s.Broker)
	}
	switch {
	case s.Always:
		f = f.Always()
	case s.Times < 0 || s.After < 0:
		return bad("times and after are numbers of requests.", "Use 0 or more.")
	case s.Times > 0:
		f = f.Times(s.Times)
	}
	f = f.After(s.After)
	if s.Optional {
		f = f.Optional()
	}
	return f, nil
}

func listFaults(a *API, _ *http.Request) (any, error) {
	list := FaultList{Faults: []Fault{}}
	for _, in := range a.b.Faults() {
		list.Faults = append(list.Faults, faultOf(in))
	}
	return list, nil
}

func addFault(a *API, r *http.Request) (any, error) {
	spec, err := read[FaultSpec](r)
	if err != nil {
		return nil, err
	}
	f, err := spec.fault()
	if err != nil {
		return nil, err
	}
	return faultOf(a.b.Inject(f)), nil
}

// injected is the fault in the path.
func (a *API) injected(r *http.Request) (*broker.Injected, error) {
	for _, in := range a.b.Faults() {
		if strconv.Itoa(in.ID()) == r.PathValue("id") {
			return in, nil
		}
	}
	return nil, say(http.StatusNotFound, fmt.Sprintf("There is no fault %s in place.", r.PathValue("id")), "GET "+Prefix+"/faults lists them; a reset removes them.")
}

func getFault(a *API, r *http.Request) (any, error) {
	in, err := a.injected(r)
	if err != nil {
		return nil, err
	}
	return faultOf(in), nil
}

func removeFault(a *API, r *http.Request) (any, error) {
	in, err := a.injected(r)
	if err != nil {
		return nil, err
	}
	in.Remove()
	return nil, nil
}

func clearFaults(a *API, _ *http.Request) (any, error) {
	a.b.ClearFaults()
	return nil, nil
}

func releaseFault(a *API, r *http.Request) (any, error) {
	in, err := a.injected(r)
	if err != nil {
		return nil, err
	}
	if in.Fault().Kind != fault.KindHold {
		return nil, say(http.StatusConflict, fmt.Sprintf("Fault %d holds nothing: %s.", in.ID(), in.Fault()), "DELETE it to take it away.")
	}
	in.Release()
	return faultOf(in), nil
}
