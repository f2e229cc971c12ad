package broker

import (
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns the APIs of client quotas (KIP-546).

// Types of entities (org.apache.kafka.common.quota.ClientQuotaEntity).
const (
	entityClient = "client-id"
	entityUser   = "user"
	entityIP     = "ip"
)

// part is the entity's part of a type; nil for another type.
func (e *quotaEntity) part(kind string) *quotaName {
	switch kind {
	case entityClient:
		return &e.client
	case entityUser:
		return &e.user
	case entityIP:
		return &e.ip
	}
	return nil
}

// eachPart walks the parts that the entity has, in Kafka's order.
func (e *quotaEntity) eachPart(yield func(kind string, name *string)) {
	for _, kind := range []string{entityClient, entityUser, entityIP} {
		switch p := e.part(kind); p.is {
		case nameDefault:
			yield(kind, nil)
		case nameExact:
			yield(kind, &p.name)
		}
	}
}

// String is the entity as Kafka's texts have it.
func (e quotaEntity) String() string {
	var parts []string
	e.eachPart(func(kind string, name *string) {
		if name == nil {
			name = new("null")
		}
		parts = append(parts, kind+"="+*name)
	})
	return "ClientQuotaEntity(entries={" + strings.Join(parts, ", ") + "})"
}

// handleAlterClientQuotas serves AlterClientQuotas v0-v1.
func (b *Broker) handleAlterClientQuotas(r *request, req *kmsg.AlterClientQuotasRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	b.controller.mu.Lock()
	defer b.controller.mu.Unlock()
	at := make(map[string]int) // of entities in the answer
	for i := range req.Entries {
		asked := &req.Entries[i]
		entity, answered, err := readEntity(asked.Entity)
		place, twice := at[entityKey(answered)]
		if !twice {
			place = len(resp.Entries)
			at[entityKey(answered)] = place
			answer := kmsg.NewAlterClientQuotasResponseEntry()
			answer.Entity = answered
			resp.Entries = append(resp.Entries, answer)
		}
		keys := make(map[string]bool, len(asked.Ops))
		for _, op := range asked.Ops {
			twice = twice || keys[op.Key]
			keys[op.Key] = true
		}
		if twice {
			err = fail(kerr.InvalidRequest, "Ignoring duplicate entity %v", entity)
		}
		if err == nil {
			err = b.alterQuotas(entity, asked.Ops, req.ValidateOnly)
		}
		answer := &resp.Entries[place]
		answer.ErrorCode, answer.ErrorMessage = codeAndText(err)
	}
	return resp, nil
}

func entityKey(parts []kmsg.AlterClientQuotasResponseEntryEntity) string {
	var s strings.Builder
	for _, p := range parts {
		if p.Name == nil {
			fmt.Fprintf(&s, "%q ", p.Type)
		} else {
			fmt.Fprintf(&s, "%q=%q ", p.Type, *p.Name)
		}
	}
	return s.String()
}

// readEntity reads an entity and how it is answered. Of a type that is there
// twice, the last name counts.
func readEntity(parts []kmsg.AlterClientQuotasRequestEntryEntity) (e quotaEntity, answered []kmsg.AlterClientQuotasResponseEntryEntity, err *apiError) {
	names := make(map[string]*string, len(parts))
	for _, p := range parts {
		names[p.Type] = p.Name
	}
	for _, kind := range slices.Sorted(maps.Keys(names)) {
		name := names[kind]
		a := kmsg.NewAlterClientQuotasResponseEntryEntity()
		a.Type, a.Name = kind, name
		answered = append(answered, a)
		part := e.part(kind)
		switch {
		case part == nil:
			err = fail(kerr.InvalidRequest, "Unhandled client quota entity type: %s", kind)
		case name == nil:
			*part = byDefault
		case *name == "":
			err = fail(kerr.InvalidRequest, "Empty %s not supported", kind)
		default:
			*part = exactly(*name)
		}
	}
	switch {
	case err != nil:
	case e == quotaEntity{}:
		err = fail(kerr.InvalidRequest, "Invalid empty client quota entity")
	case e.ip.is != nameAbsent && (e.user.is != nameAbsent || e.client.is != nameAbsent):
		err = fail(kerr.InvalidRequest, "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId")
	case e.ip.is == nameExact && addressesOf(e.ip.name) == nil:
		err = fail(kerr.InvalidRequest, "%s is not a valid IP or resolvable host.", e.ip.name)
	}
	return e, answered, err
}

// addressesOf are the addresses that an entity's name stands for; none if it is
// no address.
func addressesOf(name string) []netip.Addr {
	if name == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return nil
	}
	return []netip.Addr{ip.Unmap()}
}

// alterQuotas changes one entity's quotas. It needs controller.mu.
func (b *Broker) alterQuotas(e quotaEntity, ops []kmsg.AlterClientQuotasRequestEntryOp, validateOnly bool) *apiError {
	next := maps.Clone(b.quotas.of(e))
	if next == nil {
		next = make(map[string]float64)
	}
	for _, op := range ops {
		if op.Remove {
			delete(next, op.Key)
			continue
		}
		if err := checkQuota(e, op.Key, op.Value); err != nil {
			return err
		}
		next[op.Key] = op.Value
	}
	if !validateOnly && !maps.Equal(next, b.quotas.of(e)) {
		b.quotas.set(e, next)
		b.controller.written()
	}
	return nil
}

// connectionRate is the one quota of an IP address.
const connectionRate = "connection_creation_rate"

// checkQuota holds a quota against its type
// (org.apache.kafka.controller.ClientQuotaControlManager).
func checkQuota(e quotaEntity, key string, value float64) *apiError {
	ofIP := e.ip.is != nameAbsent
	known := slices.Contains(quotaKeys[:], key) && ofIP == (key == connectionRate)
	switch {
	case !known:
		return fail(kerr.InvalidRequest, "Invalid configuration key %s", key)
	case !(value > 0):
		return fail(kerr.InvalidRequest, "Quota %s must be greater than 0", key)
	case key == quotaKeys[quotaRequest] || key == quotaKeys[quotaMutations]:
		return nil
	case key == connectionRate && value > math.MaxInt32:
		return fail(kerr.InvalidRequest, "Proposed value for %s is too large for an INT.", key)
	case value > math.MaxInt64:
		return fail(kerr.InvalidRequest, "Proposed value for %s is too large for a LONG.", key)
	case math.Mod(value, 1) > 1e-6:
		return fail(kerr.InvalidRequest, "%s cannot be a fractional value.", key)
	}
	return nil
}

// Ways to match an entity's name in DescribeClientQuotas.
const (
	matchExact   kmsg.QuotasMatchType = 0
	matchDefault kmsg.QuotasMatchType = 1
	matchAny     kmsg.QuotasMatchType = 2
)

// quotaFilter is what DescribeClientQuotas asks of one type of entity.
type quotaFilter struct {
	kind string
	any  bool
	name quotaName
}

// handleDescribeClientQuotas serves DescribeClientQuotas v0-v1.
func (b *Broker) handleDescribeClientQuotas(r *request, req *kmsg.DescribeClientQuotasRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	filters, err := readFilters(req.Components)
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = codeAndText(err)
		return resp, nil
	}
	resp.ErrorMessage = new("")
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	t := b.quotas.table.Load()
	if t == nil {
		return resp, nil
	}
	for _, e := range slices.SortedFunc(maps.Keys(t.limits), compareEntities) {
		if !e.matches(filters, req.Strict) {
			continue
		}
		entry := kmsg.NewDescribeClientQuotasResponseEntry()
		e.eachPart(func(kind string, name *string) {
			part := kmsg.NewDescribeClientQuotasResponseEntryEntity()
			part.Type, part.Name = kind, name
			entry.Entity = append(entry.Entity, part)
		})
		for _, key := range slices.Sorted(maps.Keys(t.limits[e])) {
			v := kmsg.NewDescribeClientQuotasResponseEntryValue()
			v.Key, v.Value = key, t.limits[e][key]
			entry.Values = append(entry.Values, v)
		}
		resp.Entries = append(resp.Entries, entry)
	}
	return resp, nil
}

// matches says whether the entity has all the parts asked for, and, if strict,
// no others.
func (e quotaEntity) matches(filters []quotaFilter, strict bool) bool {
	for _, f := range filters {
		part := e.part(f.kind)
		if f.any && part.is == nameAbsent || !f.any && *part != f.name {
			return false
		}
	}
	if !strict {
		return true
	}
	has := 0
	e.eachPart(func(string, *string) { has++ })
	return has == len(filters)
}

// readFilters checks what is asked for (org.apache.kafka.image.ClientQuotasImage.describe).
func readFilters(components []kmsg.DescribeClientQuotasRequestComponent) ([]quotaFilter, *apiError) {
	var filters []quotaFilter
	seen := make(map[string]bool, len(components))
	for _, c := range components {
		f := quotaFilter{kind: c.EntityType}
		switch {
		case f.kind == "":
			return nil, fail(kerr.InvalidRequest, "Invalid empty entity type.")
		case seen[f.kind]:
			return nil, fail(kerr.InvalidRequest, "Entity type %s cannot appear more than once in the filter.", f.kind)
		case new(quotaEntity).part(f.kind) == nil:
			return nil, fail(kerr.UnsupportedVersion, "Unsupported entity type %s", f.kind)
		}
		seen[f.kind] = true
		switch c.MatchType {
		case matchExact:
			if c.Match == nil {
				return nil, fail(kerr.InvalidRequest, "Request specified MATCH_TYPE_EXACT, but set match string to null.")
			}
			f.name = exactly(*c.Match)
		case matchDefault:
			if c.Match != nil {
				return nil, fail(kerr.InvalidRequest, "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.")
			}
			f.name = byDefault
		case matchAny:
			if c.Match != nil {
				return nil, fail(kerr.InvalidRequest, "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.")
			}
			f.any = true
		default:
			return nil, fail(kerr.InvalidRequest, "Unknown match type %d", c.MatchType)
		}
		filters = append(filters, f)
	}
	if seen[entityIP] && len(seen) > 1 {
		return nil, fail(kerr.InvalidRequest, "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.")
	}
	return filters, nil
}
