package ui

// This file owns the page /faults: what shall go wrong, and how often it did.

import (
	"cmp"
	"net/http"
	"slices"
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

// mostFaults is how many faults the page puts in place.
const mostFaults = 100

// faultKinds are what a fault can do, by the name in the form.
var faultKinds = []string{"fail", "delay", "drop", "lose", "cut", "throttle", "hold", "corrupt"}

type faultsView struct {
	Faults []faultRow `json:"faults"`
	Kinds  []string   `json:"kinds"`
	APIs   []string   `json:"apis"`
	Errors []string   `json:"errors"`
}

type faultRow struct {
	ID   int    `json:"id"`
	What string `json:"what"` // in English
	Hits int    `json:"hits"`
	Hold bool   `json:"hold"`
	Left int    `json:"left"` // -1: it never ends
}

// faultIDs gives faults numbers, which they have for no one but the page.
type faultIDs struct {
	mu   sync.Mutex
	next int
	of   map[*broker.Injected]int
}

// number counts the faults that are in place, and forgets the others.
func (ids *faultIDs) number(all []*broker.Injected) map[int]*broker.Injected {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	now, byID := map[*broker.Injected]int{}, map[int]*broker.Injected{}
	for _, in := range all {
		id, ok := ids.of[in]
		if !ok {
			ids.next++
			id = ids.next
		}
		now[in], byID[id] = id, in
	}
	ids.of = now
	return byID
}

func (s *site) faults(*http.Request) (any, error) {
	v := faultsView{Faults: []faultRow{}, Kinds: faultKinds, Errors: errorNames()}
	byID := s.faultIDs.number(s.broker.Faults())
	for id, in := range byID {
		f := in.Fault()
		row := faultRow{ID: id, What: f.String(), Hits: in.Hits(), Hold: f.Kind == fault.KindHold, Left: -1}
		if f.Count > 0 {
			row.Left = max(0, f.Count-row.Hits)
		}
		v.Faults = append(v.Faults, row)
	}
	slices.SortFunc(v.Faults, func(a, b faultRow) int { return cmp.Compare(a.ID, b.ID) })
	for _, api := range protocol.APIs() {
		v.APIs = append(v.APIs, api.Name)
	}
	slices.Sort(v.APIs)
	return v, nil
}

// errorNames are Kafka's errors.
var errorNames = sync.OnceValue(func() []string {
	var names []string
	for code := int16(-1); code < 200; code++ {
		if e := kerr.TypedErrorForCode(code); e != nil && code != 0 && e.Code == code {
			names = append(names, e.Message)
		}
	}
	return names
})

// addFault puts in place what the form describes.
func (s *site) addFault(r *http.Request) (string, error) {
	f, err := faultOf(r)
	if err != nil {
		return "", err
	}
	if len(s.broker.Faults()) >= mostFaults {
		return "", say(http.StatusConflict, "problem.fault.many", mostFaults)
	}
	s.broker.Inject(f)
	return "/faults?done=fault.set", nil
}

func faultOf(r *http.Request) (fault.Fault, error) {
	wrong := func(key string) (fault.Fault, error) {
		return fault.Fault{}, say(http.StatusUnprocessableEntity, key)
	}
	field := func(name string) string { return strings.TrimSpace(r.Form.Get(name)) }
	number := func(name string, empty int) (int, bool) {
		if field(name) == "" {
			return empty, true
		}
		n, err := strconv.Atoi(field(name))
		return n, err == nil && n >= 0
	}
	apis := protocol.APIs()
	i := slices.IndexFunc(apis, func(a protocol.API) bool { return a.Name == field("api") })
	kind := field("kind")
	if i < 0 && kind != "corrupt" {
		return wrong("problem.fault.api")
	}
	var api kmsg.Key
	if i >= 0 {
		api = kmsg.Key(apis[i].Key)
	}
	wait, waitOK := number("wait", 1000)
	if !waitOK || wait > int(time.Hour/time.Millisecond) {
		return wrong("problem.fault.wait")
	}
	d := time.Duration(wait) * time.Millisecond
	var f fault.Fault
	switch kind {
	case "fail":
		var failure *kerr.Error
		for code := int16(-1); code < 200; code++ {
			if e := kerr.TypedErrorForCode(code); e != nil && e.Message == field("error") {
				failure = e
			}
		}
		if failure == nil {
			return wrong("problem.fault.error")
		}
		f = fault.Fail(api, failure)
	case "delay":
		f = fault.Delay(api, d)
	case "drop":
		f = fault.Drop(api)
	case "lose":
		f = fault.LoseAnswer(api)
	case "cut":
		f = fault.CutAnswer(api)
	case "throttle":
		f = fault.Throttle(api, d)
	case "hold":
		f = fault.Hold(api)
	case "corrupt":
		f = fault.Corrupt()
	default:
		return wrong("problem.form")
	}
	f.Topic, f.Group, f.ClientID = field("topic"), field("group"), field("client")
	if field("partition") != "" {
		p, ok := number("partition", 0)
		if !ok {
			return wrong("problem.fault.number")
		}
		f.Partition = int32(p)
	}
	times, ok := number("times", 1)
	after, ok2 := number("after", 0)
	if !ok || !ok2 {
		return wrong("problem.fault.number")
	}
	if f = f.After(after).Optional(); times == 0 {
		return f.Always(), nil
	}
	return f.Times(times), nil
}

// endFault removes a fault, or opens the gate of one that holds requests.
func (s *site) endFault(r *http.Request) (string, error) {
	if r.PathValue("id") == "all" {
		s.broker.ClearFaults()
		return "/faults?done=fault.cleared", nil
	}
	id, _ := strconv.Atoi(r.PathValue("id"))
	in := s.faultIDs.number(s.broker.Faults())[id]
	if in == nil {
		return "", say(http.StatusNotFound, "problem.fault.gone")
	}
	if r.Form.Get("release") != "" {
		in.Release()
		return "/faults?done=fault.released", nil
	}
	in.Remove()
	return "/faults?done=fault.removed", nil
}
