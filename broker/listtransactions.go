package broker

import (
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/txn"
)

// This file owns what administrators see of transactions (KIP-664).

// handleDescribeTransactions serves DescribeTransactions v0.
func (b *Broker) handleDescribeTransactions(r *request, req *kmsg.DescribeTransactionsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	for _, id := range req.TransactionalIDs {
		state := kmsg.NewDescribeTransactionsResponseTransactionState()
		state.TransactionalID = id
		switch {
		case id == "":
			state.ErrorCode = kerr.InvalidRequest.Code
		case !r.mayTransact(kmsg.ACLOperationDescribe, id):
			state.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		case r.coordinates(transactionStateTopic, id) != nil:
			state.ErrorCode = kerr.NotCoordinator.Code
		case !b.transactions.with(id, false, func(x *transaction, _ int64) { state = x.m.Describe() }):
			state.ErrorCode = kerr.TransactionalIDNotFound.Code
		}
		state.Topics = slices.DeleteFunc(state.Topics, func(t kmsg.DescribeTransactionsResponseTransactionStateTopic) bool {
			return !r.mayTopic(kmsg.ACLOperationDescribe, t.Topic)
		})
		resp.TransactionStates = append(resp.TransactionStates, state)
	}
	return resp, nil
}

// handleListTransactions serves ListTransactions v0-v2 (v1: how long they run,
// KIP-994; v2: a pattern for their ids, KIP-1152).
func (b *Broker) handleListTransactions(r *request, req *kmsg.ListTransactionsRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.ListTransactionsResponse)
	f := txn.Filter{LongerThan: -1}
	if req.Version >= 1 {
		f.LongerThan = req.DurationFilterMillis
	}
	if len(req.ProducerIDFilters) > 0 {
		f.ProducerIDs = req.ProducerIDFilters
	}
	if len(req.StateFilters) > 0 {
		f.States = []txn.State{} // unknown ones match nothing
	}
	for _, name := range req.StateFilters {
		if state, known := txn.ParseState(name); known {
			f.States = append(f.States, state)
		} else if !slices.Contains(resp.UnknownStateFilters, name) {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, name)
		}
	}
	if pattern := req.TransactionalIDPattern; pattern != nil && *pattern != "" {
		// Kafka uses RE2, and the whole id must match.
		if _, err := regexp.Compile(*pattern); err != nil {
			resp.ErrorCode = kerr.InvalidRegularExpression.Code
			resp.UnknownStateFilters = nil
			return resp, nil
		}
		f.Match = regexp.MustCompile(`\A(?:` + *pattern + `)\z`).MatchString
	}
	now := b.nowMs()
	for _, x := range b.transactions.all() {
		if r.coordinates(transactionStateTopic, x.id) != nil || !r.mayTransact(kmsg.ACLOperationDescribe, x.id) {
			continue
		}
		x.mu.Lock()
		line, wanted := x.m.List(now, &f)
		if x.gone {
			wanted = false
		}
		x.mu.Unlock()
		if wanted {
			resp.TransactionStates = append(resp.TransactionStates, line)
		}
	}
	slices.SortFunc(resp.TransactionStates, func(a, b kmsg.ListTransactionsResponseTransactionState) int {
		return strings.Compare(a.TransactionalID, b.TransactionalID)
	})
	return resp, nil
}
