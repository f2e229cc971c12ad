package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"minibroker/broker"
)

// This file owns transactions: who has them, what they cover, and waiting for
// them.

// TransactionList is all transactional ids.
type TransactionList struct {
	Transactions []Transaction `json:"transactions" doc:"By transactional id."`
}

// Transaction is a transactional id with its newest transaction.
type Transaction struct {
	ID            string             `json:"id" doc:"The transactional id."`
	State         string             `json:"state" doc:"As Kafka's tools print it: Ongoing while one is open, then CompleteCommit or CompleteAbort; Dead where there is no such id."`
	ProducerID    int64              `json:"producer_id"`
	ProducerEpoch int16              `json:"producer_epoch"`
	Timeout       string             `json:"timeout" doc:"How long it may be open, such as 1m0s."`
	Started       string             `json:"started,omitempty" doc:"Of an open one: when it began. RFC 3339."`
	Partitions    map[string][]int32 `json:"partitions" doc:"What an open one covers, by topic. Offsets of groups are in __consumer_offsets."`
}

func transactionOf(x broker.Transaction) Transaction {
	t := Transaction{ID: x.ID(), State: x.State(), Timeout: x.Timeout().String(), Partitions: x.Partitions()}
	t.ProducerID, t.ProducerEpoch = x.Producer()
	if at := x.Started(); !at.IsZero() {
		t.Started = at.UTC().Format(time.RFC3339Nano)
	}
	return t
}

func listTransactions(a *API, r *http.Request) (any, error) {
	list := TransactionList{Transactions: []Transaction{}}
	for _, id := range a.b.Transactions() {
		if x := a.b.Transaction(id); r.URL.Query().Get("open") != "true" || x.Open() {
			list.Transactions = append(list.Transactions, transactionOf(x))
		}
	}
	return list, nil
}

func getTransaction(a *API, r *http.Request) (any, error) {
	id := r.PathValue("id")
	if !slices.Contains(a.b.Transactions(), id) {
		message := fmt.Sprintf("There is no transactional id %q.", id)
		return nil, kafka(105, &message)
	}
	return transactionOf(a.b.Transaction(id)), nil
}

func waitTransaction(a *API, r *http.Request) (any, error) {
	x := a.b.Transaction(r.PathValue("id"))
	if err := wait(r, func(ctx context.Context) error { return x.WaitForState(ctx, r.URL.Query().Get("state")) }); err != nil {
		return nil, err
	}
	return transactionOf(x), nil
}

func waitClient(a *API, r *http.Request) (any, error) {
	err := wait(r, func(ctx context.Context) error { return a.b.WaitForClient(ctx, r.URL.Query().Get("client_id")) })
	if err != nil {
		return nil, err
	}
	return listClients(a, r)
}
