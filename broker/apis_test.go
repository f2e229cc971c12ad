package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"minibroker/protocol"
)

func TestEveryAPIHasAHandler(t *testing.T) {
	served := make(map[int16]bool)
	for _, api := range protocol.APIs() {
		served[api.Key] = true
		if int(api.Key) >= len(handlers) || handlers[api.Key] == nil {
			t.Errorf("%s (key %d) is advertised and has no handler", api.Name, api.Key)
		}
	}
	for key, h := range handlers {
		if h != nil && !served[int16(key)] {
			t.Errorf("key %d has a handler and is not advertised", key)
		}
	}
}

func TestEveryAPIIsServedInEveryVersionThatKmsgKnows(t *testing.T) {
	for _, api := range protocol.APIs() {
		if api.Min != 0 {
			t.Errorf("%s starts at version %d: old clients would be lost", api.Name, api.Min)
		}
		if newest := kmsg.RequestForKey(api.Key).MaxVersion(); api.Max != newest {
			t.Errorf("%s ends at version %d, kmsg knows %d", api.Name, api.Max, newest)
		}
	}
}
