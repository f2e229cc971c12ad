package ui

// This file owns the page /faults: what shall go wrong, and how often it did.

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"minibroker/broker"
	"minibroker/broker/fault"
	"minibroker/protocol"
)

// mostFaults is how many faults the page puts in place.
const mostFaults = 100

type faultsView struct {
	Faults  []faultRow   `json:"faults"`
	Presets []presetView `json:"presets"`
	Kinds   []string     `json:"kinds"`
	APIs    []string     `json:"apis"`
	Errors  []string     `json:"errors"`
	Brokers []int32      `json:"brokers"`
	Topics  []string     `json:"-"` // to choose from
	Groups  []string     `json:"-"`
}

type faultRow struct {
	ID     int     `json:"id"`
	What   string  `json:"what"` // in English
	Kind   string  `json:"kind"`
	API    string  `json:"api"`   // any: every API
	Value  string  `json:"value"` // the error, the time or the rate
	Only   []limit `json:"only"`  // the requests that it is about
	Every  int     `json:"every"` // it hits one in so many; 0 or 1: each
	Passes int     `json:"passes"`
	Hits   int     `json:"hits"`
	Left   int     `json:"left"` // -1: it never ends
	Open   bool    `json:"released"`
}

// Hold says whether it keeps requests.
func (f faultRow) Hold() bool { return f.Kind == "hold" && !f.Open }

// limit is one thing that a fault is narrowed to.
type limit struct {
	By    string `json:"by"` // key of its name
	Value string `json:"value"`
}

func (s *site) faults(r *http.Request) (any, error) {
	v := faultsView{Faults: []faultRow{}, Presets: presetViews(), Kinds: fault.Kinds, Errors: errorNames(), APIs: apiNames()}
	for _, in := range s.broker.Faults() {
		v.Faults = append(v.Faults, faultRowOf(in))
	}
	for _, b := range s.broker.Brokers() {
		v.Brokers = append(v.Brokers, b.ID)
	}
	for _, id := range s.broker.Groups() {
		if id == visible(id) && len(v.Groups) < pageRows { // others cannot be chosen from a list
			v.Groups = append(v.Groups, id)
		}
	}
	var err error
	v.Topics, _, err = s.someTopics(r.Context())
	return v, err
}

func faultRowOf(in *broker.Injected) faultRow {
	f := in.Fault()
	row := faultRow{ID: in.ID(), What: f.String(), Kind: fault.Kinds[f.Kind], API: "any", Only: []limit{}, Every: f.Stride, Passes: f.Skipped, Hits: in.Hits(), Left: -1, Open: in.Released()}
	if f.API != fault.Any {
		row.API = f.API.Name()
	}
	if f.Count > 0 {
		row.Left = max(0, f.Count-row.Hits)
	}
	switch f.Kind {
	case fault.KindFail:
		row.Value = f.Error.Message
	case fault.KindDelay, fault.KindThrottle:
		row.Value = f.Wait.String()
	case fault.KindSlowRequest, fault.KindSlowAnswer:
		row.Value = strconv.Itoa(f.Rate) + " B/s"
	}
	only := func(by, value string) {
		if value != "" {
			row.Only = append(row.Only, limit{by, visible(value)})
		}
	}
	number := func(n int32) string {
		if n < 0 {
			return ""
		}
		return strconv.Itoa(int(n))
	}
	only("topic", f.Topic)
	only("partition", number(f.Partition))
	only("group", f.Group)
	only("transaction.id", f.TransactionalID)
	only("client", f.ClientID)
	only("broker", number(f.Broker))
	return row
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

// apiNames are the APIs that a fault can be about, all of them first.
var apiNames = sync.OnceValue(func() []string {
	var names []string
	for _, api := range protocol.APIs() {
		names = append(names, api.Name)
	}
	slices.Sort(names)
	return append([]string{"any"}, names...)
})

// addFault puts in place what the form describes: one fault, or those of a preset.
func (s *site) addFault(r *http.Request) (string, error) {
	specs := presets[r.Form.Get("preset")]
	if !r.Form.Has("preset") {
		spec, err := specOf(r)
		if err != nil {
			return "", err
		}
		specs = []fault.Spec{spec}
	}
	if len(specs) == 0 {
		return "", say(http.StatusUnprocessableEntity, "problem.form")
	}
	if len(s.broker.Faults())+len(specs) > mostFaults {
		return "", say(http.StatusConflict, "problem.fault.many", mostFaults)
	}
	var all []fault.Fault
	for _, spec := range specs {
		f, err := spec.Fault()
		if wrong := (*fault.SpecError)(nil); errors.As(err, &wrong) {
			return "", &problem{status: http.StatusUnprocessableEntity, Key: "problem.fault." + wrong.Field, Detail: wrong.Detail}
		}
		all = append(all, f.Optional())
	}
	for _, f := range all {
		s.broker.Inject(f)
	}
	return "/faults?done=fault.set", nil
}

// specOf reads the form.
func specOf(r *http.Request) (fault.Spec, error) {
	field := func(name string) string { return strings.TrimSpace(r.Form.Get(name)) }
	wrong := false
	number := func(name string, empty int) int {
		if field(name) == "" {
			return empty
		}
		n, err := strconv.ParseInt(field(name), 10, 32)
		wrong = wrong || err != nil || n < 0
		return int(n)
	}
	id := func(name string) *int32 {
		if field(name) == "" {
			return nil
		}
		n := int32(number(name, 0))
		return &n
	}
	spec := fault.Spec{Kind: field("kind"), API: field("api"), Error: field("error"), Wait: cmp.Or(field("wait"), "1000"), Rate: number("rate", 1000), Topic: field("topic"), Partition: id("partition"),
		Group: field("group"), ClientID: field("client"), Transactional: field("transaction"), Broker: id("broker"), Times: number("times", 1), After: number("after", 0), Every: number("every", 0)}
	spec.Always = spec.Times == 0
	if spec.Kind == "corrupt" {
		spec.API = "" // there is no choice
	}
	if _, err := strconv.Atoi(spec.Wait); err == nil {
		spec.Wait += "ms"
	}
	if wrong {
		return spec, say(http.StatusUnprocessableEntity, "problem.fault.times")
	}
	return spec, nil
}

// endFault removes a fault, or opens the gate of one that holds requests.
func (s *site) endFault(r *http.Request) (string, error) {
	if r.PathValue("id") == "all" {
		s.broker.ClearFaults()
		return "/faults?done=fault.cleared", nil
	}
	all := s.broker.Faults()
	i := slices.IndexFunc(all, func(in *broker.Injected) bool { return strconv.Itoa(in.ID()) == r.PathValue("id") })
	if i < 0 {
		return "", say(http.StatusNotFound, "problem.fault.gone")
	}
	if r.Form.Get("release") != "" {
		all[i].Release()
		return "/faults?done=fault.released", nil
	}
	all[i].Remove()
	return "/faults?done=fault.removed", nil
}
