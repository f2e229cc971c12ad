package diff

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns scripts: what they are made of, and running one against one
// server.

// A script is a sequence of steps on topics and groups of its own. It is run
// once per version of its API that both servers have.
type script struct {
	name string
	// key is the API whose versions are run through; steps of other APIs are
	// sent at the newest version that both servers have.
	key kmsg.Key
	// from and to bound the versions; to 0 means the newest.
	from, to int16
	// not names a reference that the script is not run against, and why.
	not   []exclusion
	steps []step
}

type exclusion struct{ target, why string }

// A step sends one request and compares the answer.
type step struct {
	name string
	// ask makes the request; its version is set by the engine.
	ask func(*actor) kmsg.Request
	// raw makes a whole frame instead, for what ask can't express: the size
	// is included. It goes over a connection of its own, and the answer is
	// read as one to what ask makes.
	raw func(x *actor, correlationID int32) []byte
	// at is a fixed version to send, for a step of another API.
	at *int16
	// answerIn is the version that the answer is in, where it is not the
	// version asked.
	answerIn *int16
	// on names the connection; "" is the script's main one.
	on string
	// silent: a server that acts as it should does not answer; a short wait
	// shows it.
	silent bool
	// later: the answer is read by a step whose get is this step's name.
	later bool
	get   string
	// until repeats the step until the answer is as wanted: Kafka applies
	// some changes after it answered.
	until func(kmsg.Response) bool
	// untilNamed is a short name: the same, until the answer has the full one.
	untilNamed string
	// hidden: what is answered is not compared (preparation only).
	hidden bool
	// mine names lists of the answer in which only what belongs to this
	// script is looked at, as the server is shared with other scripts.
	mine []string
	// not names references that this step is not sent to, and why.
	not []exclusion
}

// req makes a step's ask out of a function that fills a request in.
func req[T any, P interface {
	*T
	kmsg.Request
	Default()
}](fill func(x *actor, r P)) func(*actor) kmsg.Request {
	return func(x *actor) kmsg.Request {
		r := P(new(T))
		r.Default()
		fill(x, r)
		return r
	}
}

// join puts lists of steps behind each other.
func join(lists ...[]step) []step { return slices.Concat(lists...) }

// actor runs a script's steps against one server. Functions in tables get it
// to name topics, and to read earlier answers.
type actor struct {
	target  *target
	version int16
	pair    *pair
	suffix  string
	conns   map[string]*conn
	pending map[string]pending // by the name of the step that was sent
	answers map[string]kmsg.Response
	ids     map[string][16]byte // topic ids, by the topic's full name
	view    *view
}

type pending struct {
	on  string
	req kmsg.Request
	id  int32
}

func newActor(t *target, p *pair, sc *script, version int16, take int) *actor {
	x := &actor{
		target: t, version: version, pair: p,
		suffix:  fmt.Sprintf("-%s-v%d-%s", strings.ReplaceAll(sc.name, " ", "-"), version, unique(take)),
		conns:   make(map[string]*conn),
		pending: make(map[string]pending),
		answers: make(map[string]kmsg.Response),
		ids:     make(map[string][16]byte),
	}
	x.view = newView(t, x.suffix)
	return x
}

// name makes a topic's, group's or other name that no other script uses. It
// is the same on every server, and shown as $short.
func (x *actor) name(short string) string {
	x.view.names[short+x.suffix] = "$" + short
	return short + x.suffix
}

// ptr is name's pointer, for nullable fields.
func (x *actor) ptr(short string) *string { return kmsg.StringPtr(x.name(short)) }

// topicID is the id that the server gave to a topic, or an id that no topic
// has.
func (x *actor) topicID(short string) [16]byte {
	if id, ok := x.ids[x.name(short)]; ok {
		return id
	}
	return [16]byte{15: 77}
}

// answer returns the answer to an earlier step, or an empty one where that
// step had none.
func answer[T any](x *actor, step string) *T {
	if r, ok := any(x.answers[step]).(*T); ok {
		return r
	}
	return new(T)
}

// play runs the script and returns what was seen: per step, lines to compare.
func (x *actor) play(sc *script) []seen {
	defer func() {
		for _, c := range x.conns {
			_ = c.Close()
		}
	}()
	var all []seen
	for i := range sc.steps {
		st := &sc.steps[i]
		if x.pair.excludes(st.not) {
			continue
		}
		lines := x.step(sc, st)
		if !st.hidden {
			all = append(all, seen{st.name, lines})
		}
	}
	return all
}

// seen is what one step brought.
type seen struct {
	step  string
	lines []line
}

func (x *actor) step(sc *script, st *step) []line {
	deadline := time.Now().Add(x.target.settles)
	for {
		resp, extra, err := x.exchange(sc, st)
		if !x.settled(st, resp, err) && time.Now().Before(deadline) {
			pause(10 * time.Millisecond)
			continue
		}
		if err != nil {
			return []line{{answered, err.Error()}}
		}
		if resp == nil {
			return []line{{answered, "to be read later"}}
		}
		x.learn(st, resp)
		lines := x.view.lines(st.name, resp, extra, st.mine) // names ids, if nothing else
		if st.hidden {
			return nil
		}
		return lines
	}
}

// settled says that a step need not be repeated.
func (x *actor) settled(st *step, resp kmsg.Response, err error) bool {
	switch {
	case st.until == nil && st.untilNamed == "":
		return true
	case err != nil:
		return false
	case st.untilNamed != "":
		return strings.Contains(fmt.Sprintf("%+v", resp), x.name(st.untilNamed))
	}
	return st.until(resp)
}

func (x *actor) exchange(sc *script, st *step) (kmsg.Response, int, error) {
	if st.get != "" {
		p, ok := x.pending[st.get]
		if !ok {
			return nil, 0, errors.New("was not sent")
		}
		return x.receive(p, patience)
	}
	on := st.on
	if st.raw != nil {
		on = st.name // whatever it does to the connection, it is alone there
	}
	c, err := x.conn(on)
	if err != nil {
		return nil, 0, err
	}
	p := pending{on: on, req: st.ask(x)}
	p.req.SetVersion(x.versionFor(sc, st, p.req.Key()))
	if st.raw != nil {
		c.last++
		p.id = c.last
		err = c.write(st.raw(x, p.id))
	} else {
		p.id, err = c.send(p.req)
	}
	if err != nil {
		x.drop(on)
		return nil, 0, err
	}
	if st.answerIn != nil {
		p.req.SetVersion(*st.answerIn)
	}
	if st.later {
		x.pending[st.name] = p
		return nil, 0, nil
	}
	if st.silent {
		return x.receive(p, x.target.silence)
	}
	resp, extra, err := x.receive(p, patience)
	if errors.Is(err, errSilent) {
		x.drop(on) // Kafka reads no further until it has answered
	}
	return resp, extra, err
}

func (x *actor) receive(p pending, within time.Duration) (kmsg.Response, int, error) {
	c, ok := x.conns[p.on]
	if !ok {
		return nil, 0, errClosed
	}
	body, err := c.read(p.id, within)
	if err != nil {
		if !errors.Is(err, errSilent) {
			x.drop(p.on)
		}
		return nil, 0, err
	}
	return decode(p.req, body)
}

func (x *actor) conn(name string) (*conn, error) {
	if c, ok := x.conns[name]; ok {
		return c, nil
	}
	c, err := x.target.dial(name)
	if err == nil {
		x.conns[name] = c
	}
	return c, err
}

func (x *actor) drop(name string) {
	if c, ok := x.conns[name]; ok {
		_ = c.Close()
		delete(x.conns, name)
	}
}

func (x *actor) versionFor(sc *script, st *step, key int16) int16 {
	switch {
	case st.at != nil:
		return *st.at
	case key == int16(sc.key):
		return x.version
	}
	_, newest, _ := x.pair.versions(key)
	return newest
}

// learn keeps an answer for later steps, and the ids of topics in it.
func (x *actor) learn(st *step, resp kmsg.Response) {
	name := st.name
	if st.get != "" {
		name = st.get
	}
	x.answers[name] = resp
	switch r := resp.(type) {
	case *kmsg.CreateTopicsResponse:
		for _, t := range r.Topics {
			if t.TopicID != [16]byte{} {
				x.learnID(t.Topic, t.TopicID)
			}
		}
	case *kmsg.MetadataResponse:
		for _, t := range r.Topics {
			if t.Topic != nil && t.TopicID != [16]byte{} {
				x.learnID(*t.Topic, t.TopicID)
			}
		}
	}
}

func (x *actor) learnID(topic string, id [16]byte) {
	x.ids[topic] = id
	if short, ok := x.view.names[topic]; ok {
		x.view.opaque[string(id[:])] = "<id of " + short + ">"
		x.view.topics[id] = short
	}
}

// pause waits between two tries of a step that has an until: servers offer no
// event to wait on.
func pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	<-ctx.Done()
}
