package broker

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRequestsThatComeOftenAllocateNothing holds that their memory is used again:
// only logs grow.
func TestRequestsThatComeOftenAllocateNothing(t *testing.T) {
	for _, hot := range hotRequests() {
		t.Run(hot.name, func(t *testing.T) {
			b := Start(t, WithTopic("t", 1, nil), WithTranscript(0))
			if err := b.Produce("t", Record{Value: make([]byte, 16<<10)}); err != nil {
				t.Fatal(err)
			}
			frame, c := hotFrame(hot.req(t, b)), bareConn(b)
			once := func() {
				if err := c.handle(frame); err != nil {
					t.Fatal(err)
				}
				if err := c.out.flush(); err != nil {
					t.Fatal(err)
				}
			}
			free := 0
			for range 200 {
				if testing.AllocsPerRun(1, once) == 0 {
					free++
				}
			}
			// Now and then a log grows, or the collector empties a pool.
			if free < 150 && !raceDetector {
				t.Errorf("%d of 200 requests allocated", 200-free)
			}
		})
	}
}

// TestAnswersOfVersionsAreNotShared holds that what befalls one client's answer
// does not show in another's.
func TestAnswersOfVersionsAreNotShared(t *testing.T) {
	b := Start(t)
	for version := int16(0); version <= 5; version++ {
		v := b.versions(version)
		plain := &versionsAnswer{Response: &v.resp, versions: v}
		slow := &versionsAnswer{Response: &v.resp, versions: v}
		slow.SetThrottle(77)
		if got, want := plain.AppendTo(nil), plain.model().AppendTo(nil); !bytes.Equal(got, want) {
			t.Errorf("v%d: %x, want %x", version, got, want)
		}
		if got, want := slow.AppendTo(nil), slow.model().AppendTo(nil); !bytes.Equal(got, want) || version > 0 && bytes.Equal(got, plain.AppendTo(nil)) {
			t.Errorf("v%d, throttled: %x, want %x", version, got, want)
		}
		slow.model().(*kmsg.ApiVersionsResponse).ErrorCode = 35
		if v.resp.ErrorCode != 0 || v != b.versions(version) {
			t.Errorf("v%d: a client's error is in the answer of all", version)
		}
	}
}
