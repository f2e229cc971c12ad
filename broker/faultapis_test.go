package broker

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/broker/fault"
	"minibroker/protocol"
)

// These tests put faults on every API in every version.

// filled is a request that has one of each thing: topic t, partition 0, group g,
// transactional id x.
func filledRequest(b *Broker, key, version int16) kmsg.Request {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	fillFields(b, reflect.ValueOf(req).Elem(), map[string]string{"Topic": "t", "Group": "g", "GroupID": "g", "TransactionalID": "x", "TransactionID": "x", "CoordinatorKey": "g", "ResourceName": "t"})
	switch req := req.(type) {
	case *kmsg.ProduceRequest:
		req.Acks = -1
	case *kmsg.FetchRequest:
		req.SessionID, req.SessionEpoch, req.ForgottenTopics, req.MaxWaitMillis = 0, -1, nil, 0
	case *kmsg.ShareFetchRequest:
		req.ShareSessionEpoch = 0
	case *kmsg.SASLHandshakeRequest:
		req.Mechanism = "PLAIN"
	case *kmsg.FindCoordinatorRequest:
		req.CoordinatorKeys = []string{"g"}
	}
	return req
}

func fillFields(b *Broker, v reflect.Value, names map[string]string) {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch {
		case name == "Version" || name == "UnknownTags":
		case name == "TopicID" && f.Type() == reflect.TypeFor[[16]byte]():
			f.Set(reflect.ValueOf(b.image.Load().topic("t").id))
		case f.Kind() == reflect.String && names[name] != "":
			f.SetString(names[name])
		case f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.String && names[name] != "":
			s := names[name]
			f.Set(reflect.ValueOf(&s))
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
			e := reflect.New(f.Type().Elem())
			if m := e.MethodByName("Default"); m.IsValid() {
				m.Call(nil)
			}
			fillFields(b, e.Elem(), names)
			f.Set(reflect.Append(reflect.MakeSlice(f.Type(), 0, 1), e.Elem()))
		case f.Type() == reflect.TypeFor[[]int32]() && name == "Partitions":
			f.Set(reflect.ValueOf([]int32{0}))
		case f.Kind() == reflect.Int8 && strings.HasPrefix(f.Type().Name(), "ACL"):
			f.SetInt(3) // of no use is 0
		case f.Type() == reflect.TypeFor[[]string]() && strings.HasPrefix(name, "Group"):
			f.Set(reflect.ValueOf([]string{"g"}))
		case f.Type() == reflect.TypeFor[[]string]() && name == "TransactionalIDs":
			f.Set(reflect.ValueOf([]string{"x"}))
		case f.Type() == reflect.TypeFor[[]string]() && name == "TopicNames":
			f.Set(reflect.ValueOf([]string{"t"}))
		}
	}
}

// names says whether what is on the wire has a value with one of the names.
func hasField(req kmsg.Request, names ...string) bool {
	// Encode and decode, so that only fields of this version count.
	again := kmsg.RequestForKey(req.Key())
	again.SetVersion(req.GetVersion())
	if err := again.ReadFrom(req.AppendTo(nil)); err != nil {
		return false
	}
	var look func(v reflect.Value) bool
	look = func(v reflect.Value) bool {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				for _, name := range names {
					if v.Type().Field(i).Name == name && !v.Field(i).IsZero() {
						return true
					}
				}
				if look(v.Field(i)) {
					return true
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				if look(v.Index(i)) {
					return true
				}
			}
		}
		return false
	}
	return look(reflect.ValueOf(again).Elem())
}

func everyVersion(f func(key, version int16)) {
	for _, api := range protocol.APIs() {
		for v := api.Min; v <= api.Max; v++ {
			f(api.Key, v)
		}
	}
}

func TestEveryAPICanFailInEveryVersion(t *testing.T) {
	b := Start(t, WithMemoryNetwork(), WithTopic("t", 1, nil))
	c := dialMemory(t, b, "test")
	everyVersion(func(key, version int16) {
		name := fmt.Sprintf("%s v%d", kmsg.NameForKey(key), version)
		req := filledRequest(b, key, version)
		faults := []fault.Fault{fault.Fail(kmsg.Key(key), kerr.PolicyViolation)}
		if hasField(req, "Topic", "TopicID", "TopicNames") {
			faults = append(faults, faults[0].OnTopic("t"))
		}
		if hasField(req, "Partition", "Partitions") && hasField(req, "Topic", "TopicID") {
			faults = append(faults, faults[0].OnTopic("t").OnPartition(0))
		}
		if hasField(req, "Group", "GroupID", "Groups", "GroupIDs", "CoordinatorKey", "CoordinatorKeys") {
			faults = append(faults, faults[0].OnGroup("g"))
		}
		if hasField(req, "TransactionalID", "TransactionID", "TransactionalIDs") {
			faults = append(faults, faults[0].OnTransaction("x"))
		}
		for _, f := range faults {
			in := b.Inject(f)
			c.send(req)
			resp, err := c.read(req)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, f, err)
			}
			if text := fmt.Sprintf("%+v", resp); !strings.Contains(text, "ErrorCode:44") {
				t.Errorf("%s, %s: the answer has no error: %s", name, f, text)
			}
			if in.Hits() != 1 {
				t.Errorf("%s, %s: %d hits", name, f, in.Hits())
			}
			in.Remove()
		}
		for _, f := range []fault.Fault{faults[0].OnTopic("other"), faults[0].OnPartition(7), faults[0].OnGroup("other"), faults[0].OnTransaction("other"), faults[0].FromClient("other"), faults[0].ToBroker(7)} {
			if b.matches(&f, &request{conn: &conn{node: b.nodes[0], clientID: "test"}, key: key, version: version, body: req}) {
				t.Errorf("%s: %s would hit a request about something else", name, f)
			}
		}
	})
}
