package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"minibroker/broker"
)

// This file owns the logical brokers: stopping and starting them, moving
// leaders and coordinators, holding followers up.

// BrokerList is the logical brokers.
type BrokerList struct {
	Brokers []Broker `json:"brokers" doc:"By id."`
}

// Broker is a logical broker.
type Broker struct {
	ID         int32    `json:"id"`
	Rack       string   `json:"rack"`
	Running    bool     `json:"running"`
	Addresses  []string `json:"addresses" doc:"Where it listens when it runs."`
	Controller bool     `json:"controller"`
	Leads      int      `json:"leads" doc:"Partitions that it leads."`
	Replicas   int      `json:"replicas" doc:"Partitions that it has replicas of."`
	Lag        string   `json:"lag" doc:"How far its followers are behind the leader in time; less than 0: they stand still."`
}

// Lag is how far a broker's followers shall be behind.
type Lag struct {
	Lag string `json:"lag" doc:"Such as 2s; 0s: not at all; -1s: they get nothing."`
}

// Mover is the broker that shall have something.
type Mover struct {
	Broker int32 `json:"broker" doc:"Its id."`
}

func listBrokers(a *API, _ *http.Request) (any, error) {
	list := BrokerList{Brokers: []Broker{}}
	for _, n := range a.b.Brokers() {
		list.Brokers = append(list.Brokers, brokerOf(n))
	}
	return list, nil
}

func brokerOf(n broker.Node) Broker {
	return Broker{
		ID: n.ID, Rack: n.Rack, Running: n.Running, Addresses: append([]string{}, n.Addrs...),
		Controller: n.Controller, Leads: n.Leads, Replicas: n.Replicas, Lag: n.Lag.String(),
	}
}

// onBroker does f to the broker in the path, and answers with what it is then.
func onBroker(f func(*API, *http.Request, int32) error) func(*API, *http.Request) (any, error) {
	return func(a *API, r *http.Request) (any, error) {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 32)
		if err != nil {
			return nil, say(http.StatusNotFound, fmt.Sprintf("There is no broker %q.", r.PathValue("id")), "GET "+Prefix+"/brokers lists them.")
		}
		if err := f(a, r, int32(id)); err != nil {
			return nil, ofBrokers(err)
		}
		for _, n := range a.b.Brokers() {
			if n.ID == int32(id) {
				return brokerOf(n), nil
			}
		}
		return nil, ofBrokers(broker.ErrNoSuchBroker)
	}
}

// ofBrokers finds status and remedy for the errors of acting on brokers.
func ofBrokers(err error) error {
	switch {
	case errors.Is(err, broker.ErrNoSuchBroker):
		return say(http.StatusNotFound, err.Error()+".", "GET "+Prefix+"/brokers lists them.")
	case errors.Is(err, broker.ErrNoSuchPartition):
		return say(http.StatusNotFound, err.Error()+".", "GET "+Prefix+"/topics lists the topics.")
	case errors.Is(err, broker.ErrBrokerStopped):
		return say(http.StatusConflict, err.Error()+".", "Start that broker first.")
	case errors.Is(err, broker.ErrNotInSync):
		return say(http.StatusConflict, err.Error()+".", "Take its lag away, and wait until it is in sync.")
	}
	return err
}

func stopBroker(a *API, _ *http.Request, id int32) error  { return a.b.StopBroker(id) }
func startBroker(a *API, _ *http.Request, id int32) error { return a.b.StartBroker(id) }

func setLag(a *API, r *http.Request, id int32) error {
	asked, err := read[Lag](r)
	if err != nil {
		return err
	}
	lag, err := time.ParseDuration(asked.Lag)
	if err != nil {
		return say(http.StatusBadRequest, fmt.Sprintf("lag cannot be %q.", asked.Lag), "Write how long, such as 2s.")
	}
	return a.b.SetFollowerLag(id, lag)
}

func moveLeader(a *API, r *http.Request) (any, error) {
	asked, err := read[Mover](r)
	if err != nil {
		return nil, err
	}
	p, err := strconv.ParseInt(r.PathValue("partition"), 10, 32)
	if err != nil || p < 0 {
		return nil, say(http.StatusNotFound, fmt.Sprintf("There is no partition %q.", r.PathValue("partition")), "They count from 0.")
	}
	if err := a.b.MoveLeader(r.PathValue("topic"), int32(p), asked.Broker); err != nil {
		return nil, ofBrokers(err)
	}
	return getTopic(a, r)
}

func moveCoordinator(a *API, r *http.Request) (any, error) {
	asked, err := read[Mover](r)
	if err == nil {
		err = ofBrokers(a.b.MoveCoordinator(r.PathValue("group"), asked.Broker))
	}
	return nil, err
}
