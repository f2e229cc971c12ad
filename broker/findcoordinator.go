package broker

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// handleFindCoordinator serves FindCoordinator v0-v6 (v1: transactions, v4:
// several keys, v6: share groups). The coordinator is the leader of the partition
// that has the key's records; the first request makes its topic.
func (b *Broker) handleFindCoordinator(r *request, req *kmsg.FindCoordinatorRequest) (kmsg.Response, error) {
	resp := &r.memory().coordinator
	*resp = kmsg.FindCoordinatorResponse{Version: req.Version, Coordinators: resp.Coordinators[:0]}
	find := func(key string) (c kmsg.FindCoordinatorResponseCoordinator) {
		c = kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Port = key, -1, -1
		c.ErrorMessage = &noText
		switch err := r.refuseCoordinator(req, key); {
		case err != nil:
			c.ErrorCode = err.code
			if req.Version < 4 || err != errGroupDenied && err != errTransactionDenied {
				c.ErrorMessage = &err.message
			}
			if err == errClusterDenied {
				c.NodeID, c.Port = -1, -1
			}
		default:
			n := nodeOf(b.image.Load().live, b.coordinatorOf(coordinatorTopics[req.CoordinatorType], key))
			if n == nil {
				c.ErrorCode, c.ErrorMessage = kerr.CoordinatorNotAvailable.Code, &errNoCoordinator.message
				break
			}
			c.NodeID = n.id
			c.Host, c.Port = b.tell(r, n)
			if req.Version < 4 {
				c.ErrorMessage = &noError
			}
		}
		return c
	}
	if req.Version >= 4 {
		for _, key := range req.CoordinatorKeys {
			resp.Coordinators = append(resp.Coordinators, find(key))
		}
		return resp, nil
	}
	c := find(req.CoordinatorKey)
	resp.ErrorCode, resp.ErrorMessage, resp.NodeID, resp.Host, resp.Port = c.ErrorCode, c.ErrorMessage, c.NodeID, c.Host, c.Port
	return resp, nil
}

// Coordinator types (org.apache.kafka.common.requests.FindCoordinatorRequest).
const (
	groupCoordinator       = 0
	transactionCoordinator = 1
	shareCoordinator       = 2 // v6, KIP-932
)

// noError is the text that Kafka gives to v1-v3 when all is well, noText that to
// others. Answers share them.
var noError, noText = "NONE", ""

// coordinatorTopics is where coordinators of each type keep their records.
var coordinatorTopics = [...]string{
	groupCoordinator:       groupMetadataTopic,
	transactionCoordinator: transactionStateTopic,
	shareCoordinator:       shareStateTopic,
}

func (r *request) refuseCoordinator(req *kmsg.FindCoordinatorRequest, key string) *apiError {
	switch {
	case req.CoordinatorType == groupCoordinator && !r.mayGroup(kmsg.ACLOperationDescribe, key):
		return errGroupDenied
	case req.CoordinatorType == transactionCoordinator && !r.mayTransact(kmsg.ACLOperationDescribe, key):
		return errTransactionDenied
	case req.CoordinatorType == groupCoordinator, req.CoordinatorType == transactionCoordinator:
		return nil
	case req.CoordinatorType == shareCoordinator && req.Version >= 4:
		if req.Version < 6 || !isSharePartitionKey(key) {
			return &apiError{code: kerr.InvalidRequest.Code}
		}
		if !r.mayCluster(kmsg.ACLOperationClusterAction) {
			return errClusterDenied
		}
		return nil
	}
	return errInvalidRequest
}

// isSharePartitionKey checks "group:topicId:partition"
// (org.apache.kafka.server.share.SharePartitionKey).
func isSharePartitionKey(key string) bool {
	parts := strings.Split(key, ":")
	if len(parts) != 3 || strings.TrimSpace(parts[0]) == "" {
		return false
	}
	id, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || len(id) != 16 {
		return false
	}
	_, err = strconv.ParseInt(parts[2], 10, 32)
	return err == nil
}
