package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"minibroker/broker"
	"minibroker/broker/fault"
)

// This file owns faults: what a test makes go wrong.

// FaultSpec is a fault to put in place. Package fault says what each kind does.
type FaultSpec struct{ fault.Spec }

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
	f, err := spec.Fault()
	if wrong := (*fault.SpecError)(nil); errors.As(err, &wrong) {
		return nil, say(http.StatusBadRequest, wrong.Detail, wrong.Remedy)
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
