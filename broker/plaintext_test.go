package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestSASLOnAPlaintextConnectionComesTooLate(t *testing.T) {
	c := dial(t, Start(t))
	for version := int16(0); version <= 1; version++ { // behaviour 15
		req := kmsg.NewPtrSASLHandshakeRequest()
		req.Version, req.Mechanism = version, "PLAIN"
		if got := ask[*kmsg.SASLHandshakeResponse](c, req); got.ErrorCode != 34 || len(got.SupportedMechanisms) != 0 {
			t.Errorf("handshake v%d: %+v", version, got)
		}
	}
	for version := int16(0); version <= 2; version++ { // behaviour 16
		req := kmsg.NewPtrSASLAuthenticateRequest()
		req.Version, req.SASLAuthBytes = version, []byte("x")
		got := ask[*kmsg.SASLAuthenticateResponse](c, req)
		if got.ErrorCode != 34 || text(got.ErrorMessage) != "SaslAuthenticate request received after successful authentication" {
			t.Errorf("authenticate v%d: [%d] %s", version, got.ErrorCode, text(got.ErrorMessage))
		}
	}
}

func TestACLsNeedAnAuthorizer(t *testing.T) {
	c := dial(t, Start(t))
	for version := int16(0); version <= 3; version++ { // behaviour 233
		describe := kmsg.NewPtrDescribeACLsRequest()
		describe.Version, describe.ResourceType, describe.ResourcePatternType, describe.Operation, describe.PermissionType = version, 1, 1, 1, 1
		got := ask[*kmsg.DescribeACLsResponse](c, describe)
		if got.ErrorCode != 54 || text(got.ErrorMessage) != "No Authorizer is configured on the broker" {
			t.Errorf("describe v%d: [%d] %s", version, got.ErrorCode, text(got.ErrorMessage))
		}
		create := kmsg.NewPtrCreateACLsRequest()
		create.Version = version
		create.Creations = make([]kmsg.CreateACLsRequestCreation, 2)
		for i := range create.Creations {
			c := &create.Creations[i]
			c.ResourceType, c.ResourcePatternType, c.ResourceName, c.Operation, c.PermissionType = 2, 3, "t", 3, 3
		}
		results := ask[*kmsg.CreateACLsResponse](c, create).Results
		if len(results) != 2 || results[1].ErrorCode != 54 || text(results[1].ErrorMessage) != "No Authorizer is configured." {
			t.Errorf("create v%d: %+v", version, results)
		}
		remove := kmsg.NewPtrDeleteACLsRequest()
		remove.Version = version
		remove.Filters = make([]kmsg.DeleteACLsRequestFilter, 2)
		for i := range remove.Filters {
			f := &remove.Filters[i]
			f.ResourceType, f.ResourcePatternType, f.Operation, f.PermissionType = 1, 1, 1, 1
		}
		deleted := ask[*kmsg.DeleteACLsResponse](c, remove).Results
		if len(deleted) != 2 || deleted[1].ErrorCode != 54 || len(deleted[1].MatchingACLs) != 0 {
			t.Errorf("delete v%d: %+v", version, deleted)
		}
	}
}
