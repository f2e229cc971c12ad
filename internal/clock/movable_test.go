package clock

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAMovableClockRunsByItselfAndCanBeMovedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMovable()
		start := m.Now()
		var ran []time.Duration
		note := func() { ran = append(ran, m.Now().Sub(start)) }
		m.AfterFunc(time.Second, note)
		late := m.AfterFunc(time.Hour, note)
		stopped := m.AfterFunc(2*time.Second, note)
		if !stopped.Stop() || stopped.Stop() {
			t.Error("Stop must be true once")
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if len(ran) != 1 || ran[0] != time.Second {
			t.Fatalf("after 3 s it ran at %v", ran)
		}
		m.Advance(time.Hour)
		if len(ran) != 2 || m.Now().Sub(start) != time.Hour+3*time.Second {
			t.Fatalf("moved by an hour it ran at %v and shows %v", ran, m.Now().Sub(start))
		}
		if late.Reset(time.Minute) {
			t.Error("the timer had run: Reset must say false")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(ran) != 3 {
			t.Errorf("what was set after the move did not run a minute later: %v", ran)
		}
	})
}
