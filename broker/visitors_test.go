package broker

import (
	"testing"
	"time"
)

func TestVisitorsAreToldApartByWhatTheyDid(t *testing.T) {
	s := newStage(t, "*=broker:9092")
	state := func(want string) {
		t.Helper()
		all := s.visitors()
		if len(all) != 1 || all[0].State != want || all[0].Told != "broker:9092" || all[0].Why != "rule" || all[0].IP.String() != "192.168.1.20" {
			t.Errorf("the visitors are %+v, want one that %s", all, want)
		}
	}
	c := s.connect("192.168.1.20", "x")
	s.ask(t, c, "Metadata", false)
	state(VisitorWaits)
	s.clock.Advance(2 * time.Second)
	s.ended(c)
	state(VisitorDoubted)
	s.clock.Advance(patience)
	state(VisitorLost)
	back := s.connect("192.168.1.20", "x")
	s.ask(t, back, "Produce", false)
	state(VisitorWorks)
	s.ended(back)
	state(VisitorWorks)
}

func TestAVisitorThatOnlyListsIsNoProblem(t *testing.T) {
	s := newStage(t, "")
	c := s.connect("192.168.1.20", "x")
	s.ask(t, c, "Metadata", false)
	s.ended(c)
	s.clock.Advance(patience)
	if all := s.visitors(); len(all) != 1 || all[0].State != VisitorLooked || all[0].Why != "socket" {
		t.Errorf("the visitors are %+v, want one that only looked", all)
	}
}
