package clock

import (
	"slices"
	"testing"
	"time"
)

func TestAdvanceRunsInOrderOfTimeThenRegistration(t *testing.T) {
	start := time.Unix(1000, 0)
	v := NewVirtual(start)
	var got []string
	say := func(s string) func() {
		return func() { got = append(got, s+"@"+v.Now().Sub(start).String()) }
	}
	v.AfterFunc(3*time.Second, say("c"))
	v.AfterFunc(time.Second, say("a"))
	v.AfterFunc(time.Second, say("b"))
	stopped := v.AfterFunc(2*time.Second, say("stopped"))
	v.AfterFunc(time.Minute, say("late"))
	v.AfterFunc(time.Second, func() { v.AfterFunc(time.Second, say("nested")) })
	if !stopped.Stop() || stopped.Stop() {
		t.Fatal("Stop must be true once")
	}
	v.Advance(3 * time.Second)
	want := []string{"a@1s", "b@1s", "nested@2s", "c@3s"}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if next, ok := v.Next(); !ok || !next.Equal(start.Add(time.Minute)) {
		t.Fatalf("next is %v %v", next, ok)
	}
}

func TestResetRunsAgain(t *testing.T) {
	v := NewVirtual(time.Unix(0, 0))
	n := 0
	timer := v.AfterFunc(time.Second, func() { n++ })
	v.Advance(time.Second)
	if timer.Reset(time.Second) {
		t.Fatal("the timer had run: Reset must say false")
	}
	v.Advance(999 * time.Millisecond)
	if n != 1 {
		t.Fatalf("ran %d times before it was due again", n)
	}
	v.Advance(time.Millisecond)
	if n != 2 {
		t.Fatalf("ran %d times", n)
	}
}
