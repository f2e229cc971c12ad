package api

import (
	"encoding/json"
	"strings"
	"testing"

	"minibroker/broker"
	"minibroker/broker/fault"
	"minibroker/internal/clock"
)

// fault is a specification that must be right.
func (c *caller) fault(spec string) fault.Fault {
	c.t.Helper()
	f, err := specOf(c.t, spec).Fault()
	if err != nil {
		c.t.Fatalf("%s: %v", spec, err)
	}
	return f
}

func TestAFailureSaysWhatToDo(t *testing.T) {
	c := newCaller(t, broker.WithTopic("orders", 1, map[string]string{"cleanup.policy": "compact"}))
	for _, of := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/nope", "", 404, `openapi.json says what there is`},
		{"PUT", "/topics", "", 405, `Use GET or POST.`},
		{"POST", "/topics", `{"name":"orders"}`, 409, `"code":"TOPIC_ALREADY_EXISTS"`},
		{"POST", "/topics", `{"name":"a b"}`, 422, `Use letters, digits`},
		{"POST", "/topics", `{"name":"new","partition":3}`, 400, `unknown field \"partition\"`},
		{"POST", "/topics", `{"name":`, 400, `Send JSON as`},
		{"POST", "/topics", `{"name":"a"}{}`, 400, `more than one value`},
		{"POST", "/topics", `{"name":"new","configs":{"nope":"1"}}`, 422, `"code":"INVALID_CONFIG"`},
		{"GET", "/topics/nope", "", 404, `There is no topic \"nope\".`},
		{"DELETE", "/topics/nope", "", 404, `UNKNOWN_TOPIC_OR_PARTITION`},
		{"GET", "/topics/nope/configs", "", 404, `UNKNOWN_TOPIC_OR_PARTITION`},
		{"POST", "/topics/orders/partitions", `{"partitions":1}`, 422, `INVALID_PARTITIONS`},
		{"GET", "/topics/orders/records?form=start", "", 400, `There are partition, from, limit, decode, isolation.`},
		{"GET", "/topics/orders/records?from=x", "", 400, `-N for the last N`},
		{"GET", "/topics/orders/records?limit=-1", "", 400, `from 0 to 10000`},
		{"GET", "/topics/orders/records?partition=1", "", 400, `from 0 to 0`},
		{"GET", "/topics/orders/records?decode=xml", "", 400, `Use auto, text, base64.`},
		{"POST", "/topics/orders/records", `{"records":[{"key":"k","partition":4}]}`, 422, `there is no partition 4`},
		{"POST", "/topics/orders/records", `{"records":[{"value":"v"}]}`, 422, `each record needs a key`},
		{"POST", "/topics/orders/records", `{"records":[{"value_base64":"?"}]}`, 400, `records[0]: value_base64 is not base64`},
		{"POST", "/topics/nope/records", `{"records":[]}`, 404, `There is no topic`},
		{"GET", "/topics/orders/wait?count=1&timeout=1ms", "", 408, `waiting for 1 records in topic \"orders\": context deadline exceeded (it has 0)`},
		{"GET", "/topics/orders/wait?timeout=1h", "", 400, `5m at most`},
		{"GET", "/groups/nope", "", 404, `GROUP_ID_NOT_FOUND`},
		{"DELETE", "/groups/nope", "", 404, `GROUP_ID_NOT_FOUND`},
		{"PUT", "/groups/g/offsets", `{"topic":"orders","to":"begin"}`, 400, `Use earliest, latest`},
		{"PUT", "/groups/g/offsets", `{"topic":"orders","to":"latest","partitions":[7]}`, 422, `has no partition 7`},
		{"GET", "/groups/g/wait?offset=1", "", 400, `Add ?topic=`},
		{"POST", "/faults", `{"kind":"explode","api":"Produce"}`, 400, `Use fail, delay`},
		{"POST", "/faults", `{"kind":"fail","api":"Produce","error":"OOPS"}`, 400, `There is no error \"OOPS\".`},
		{"POST", "/faults", `{"kind":"fail","api":"Prodcue"}`, 400, `There is no API \"Prodcue\".`},
		{"POST", "/faults", `{"kind":"delay","api":"Produce"}`, 400, `such as 250ms`},
		{"POST", "/faults", `{"kind":"corrupt","api":"Produce"}`, 400, `Only Fetch has records`},
		{"GET", "/faults/7", "", 404, `There is no fault 7 in place.`},
		{"POST", "/clock/advance", `{"by":"soon"}`, 400, `such as 45s`},
		{"POST", "/snapshots/nope/restore", "", 404, `PUT it first`},
		{"POST", "/fixture", `{"topic":"orders"}`, 422, `fixture:1: topic \"orders\" is there already`},
		{"GET", "/fixture?topic=nope", "", 404, `UNKNOWN_TOPIC_OR_PARTITION`},
	} {
		resp, text := c.do(of.method, of.path, "application/json", of.body)
		if resp.StatusCode != of.status || !strings.Contains(string(text), of.want) || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %s answers %d %s, want %d with %s", of.method, of.path, of.body, resp.StatusCode, text, of.status, of.want)
		}
		if of.status != 405 && of.path != "/nope" {
			c.validate(resp, of.method, of.path, "application/json", of.body, text)
		}
	}
}

func TestAClockThatCannotBeMovedSaysSo(t *testing.T) {
	c := newCaller(t, broker.WithClock(clock.Real{}), broker.WithTranscript(0))
	if p := c.call("POST", "/clock/advance", `{"by":"1s"}`, 409); p["remedy"] != "Start minibroker with --clock movable." {
		t.Errorf("the answer is %v", p)
	}
	if p := c.call("GET", "/transcript", "", 409); p["remedy"] != "Start minibroker with --transcript 100." {
		t.Errorf("the answer is %v", p)
	}
}

func TestFaultsAreReadAsTheyAreWritten(t *testing.T) {
	c := newCaller(t)
	for spec, want := range map[string]string{
		`{"kind":"fail","api":"Produce","error":"NOT_LEADER_OR_FOLLOWER","topic":"orders","partition":0,"times":2,"after":1}`: `fail Produce with NOT_LEADER_FOR_PARTITION on topic "orders" on partition 0, 2 times, after 1`,
		`{"kind":"fail","api":"offset_commit","error":"25","group":"g"}`:                                                      `fail OffsetCommit with UNKNOWN_MEMBER_ID on group "g"`,
		`{"kind":"fail","api":"Fetch","error":"NotEnoughReplicasException","client_id":"c"}`:                                  `fail Fetch with NOT_ENOUGH_REPLICAS from client "c"`,
		`{"kind":"delay","api":"Fetch","wait":"1m30s","always":true}`:                                                         `delay Fetch by 1m30s, always`,
		`{"kind":"drop","api":"Produce"}`:                                                                                     `drop the connection before Produce`,
		`{"kind":"lose-answer","api":"Produce"}`:                                                                              `lose the answer to Produce`,
		`{"kind":"cut-answer","api":"Produce"}`:                                                                               `cut the answer to Produce`,
		`{"kind":"throttle","api":"Produce","wait":"250ms"}`:                                                                  `throttle Produce for 250ms`,
		`{"kind":"fail","api":"Produce","error":"7","every":10,"always":true}`:                                                `fail Produce with REQUEST_TIMED_OUT, one in 10, always`,
		`{"kind":"hold","api":"JoinGroup","optional":true}`:                                                                   `hold JoinGroup`,
		`{"kind":"corrupt","topic":"orders"}`:                                                                                 `corrupt the records in Fetch on topic "orders"`,
		`{"kind":"slow-answer","api":"Fetch","rate":1000,"broker":2}`:                                                         `send the answer to Fetch at 1000 bytes per second to broker 2`,
		`{"kind":"slow-request","api":"any","rate":1,"transactional_id":"x"}`:                                                 `take any request in at 1 bytes per second on transactional id "x"`,
	} {
		if got := c.fault(spec).String(); got != want {
			t.Errorf("%s is %q, want %q", spec, got, want)
		}
	}
}

func specOf(t *testing.T, spec string) *FaultSpec {
	t.Helper()
	var s FaultSpec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		t.Fatal(err)
	}
	return &s
}
