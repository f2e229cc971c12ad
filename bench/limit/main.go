// Command limit is what a broker can't be faster than: it reads requests into
// memory and answers with bytes that it was taught, and does nothing else.
//
// It is taught over the network, with frames whose API key is negative; see
// Teach. Answers are chosen by API key and client id.
package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync"
)

// API keys of frames that are for the limit itself.
const (
	keyTeach = -2 // answer requests like this one, see lesson
	keyPing  = -3 // answer this one
)

// What to do with a request that has a lesson.
const (
	answerNow   = 0
	answerWakes = 1 // and let one more of each connection's waiting requests go
	answerWaits = 2 // for the next request that wakes
)

// chunkSize is how much is read at once.
const chunkSize = 1 << 20

// question is what chooses an answer.
type question struct {
	key      int16
	clientID string
}

type lesson struct {
	mode   byte
	answer []byte // size, room for the correlation id, the rest
}

type limit struct {
	lessons sync.Map // question -> *lesson

	mu    sync.Mutex
	wakes int // requests that woke, so far
	wake  chan struct{}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening on", l.Addr())
	s := &limit{wake: make(chan struct{})}
	for {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		go s.serve(nc)
	}
}

// serve reads as much as fits into a chunk and answers each whole request in it
// with one writev.
func (s *limit) serve(nc net.Conn) {
	defer nc.Close()
	c := connection{limit: s, nc: nc, chunk: make([]byte, 4096)}
	for c.read() == nil && c.answerAll() == nil {
	}
}

type connection struct {
	*limit
	nc     net.Conn
	chunk  []byte // frames as they came; those before done are answered
	filled int
	done   int

	out   []byte      // small answers
	parts net.Buffers // all answers, in order
	cut   int         // where the part of out that is not in parts begins

	waited   int // requests that waited
	from     int // wakes when the first of them came
	question question
	lesson   *lesson // of question: clients mostly repeat themselves
}

func (c *connection) read() error {
	if c.filled == len(c.chunk) {
		c.renew()
	}
	n, err := c.nc.Read(c.chunk[c.filled:])
	c.filled += n
	return err
}

// renew makes room: a new chunk that begins with the frame that is not whole.
func (c *connection) renew() {
	rest := c.chunk[c.done:c.filled]
	next := c.chunk
	if len(rest) == len(c.chunk) || len(c.chunk) < chunkSize {
		size := chunkSize
		if len(rest) >= 4 {
			size = max(size, 4+int(binary.BigEndian.Uint32(rest)))
		}
		next = make([]byte, size)
	}
	c.filled = copy(next, rest)
	c.chunk, c.done = next, 0
}

func (c *connection) answerAll() error {
	for c.filled-c.done >= 4 {
		size := int(binary.BigEndian.Uint32(c.chunk[c.done:]))
		if c.filled-c.done < 4+size {
			break
		}
		frame := c.chunk[c.done+4 : c.done+4+size]
		c.done += 4 + size
		if err := c.answer(frame); err != nil {
			return err
		}
	}
	if c.done == c.filled {
		c.done, c.filled = 0, 0
	}
	return c.flush()
}

func (c *connection) flush() error {
	if c.cut < len(c.out) {
		c.parts = append(c.parts, c.out[c.cut:])
	}
	parts := c.parts
	var err error
	switch len(parts) {
	case 0:
	case 1:
		_, err = c.nc.Write(parts[0])
	default:
		_, err = parts.WriteTo(c.nc)
	}
	c.out, c.parts, c.cut = c.out[:0], c.parts[:0], 0
	return err
}

// answer handles one request: key, version, correlation id, client id.
func (c *connection) answer(frame []byte) error {
	key := int16(binary.BigEndian.Uint16(frame))
	correlation := frame[4:8]
	clientID := frame[10 : 10+binary.BigEndian.Uint16(frame[8:])]
	rest := frame[10+len(clientID):]
	switch key {
	case keyTeach:
		of := int16(binary.BigEndian.Uint16(rest))
		answer := make([]byte, 8+len(rest)-3)
		binary.BigEndian.PutUint32(answer, uint32(len(answer)-4))
		copy(answer[8:], rest[3:])
		c.lessons.Store(question{of, string(clientID)}, &lesson{rest[2], answer})
		c.out = append(c.out, 0, 0, 0, 4)
		c.out = append(c.out, correlation...)
		return nil
	case keyPing:
		c.out = append(c.out, 0, 0, 0, 4)
		c.out = append(c.out, correlation...)
		return nil
	}
	if c.lesson == nil || key != c.question.key || string(clientID) != c.question.clientID {
		c.question = question{key, string(clientID)}
		known, ok := c.lessons.Load(c.question)
		if !ok {
			return fmt.Errorf("no lesson for key %d of %q", key, clientID)
		}
		c.lesson = known.(*lesson)
	}
	switch c.lesson.mode {
	case answerWakes:
		c.mu.Lock()
		c.wakes++
		close(c.wake)
		c.wake = make(chan struct{})
		c.mu.Unlock()
	case answerWaits:
		if err := c.wait(); err != nil {
			return err
		}
	}
	c.say(c.lesson.answer, correlation)
	return nil
}

// say queues an answer: small ones are copied together, large ones are not.
func (c *connection) say(answer, correlation []byte) {
	head := answer
	if len(answer) > 4096 {
		head = answer[:8]
	}
	at := len(c.out)
	c.out = append(c.out, head...)
	copy(c.out[at+4:], correlation)
	if len(head) < len(answer) {
		c.parts = append(c.parts, c.out[c.cut:], answer[8:])
		c.cut = len(c.out)
	}
}

// wait returns once as many requests woke as this one is in the row of those
// that waited on this connection.
func (c *connection) wait() error {
	if err := c.flush(); err != nil {
		return err
	}
	c.mu.Lock()
	if c.waited == 0 {
		c.from = c.wakes
	}
	c.waited++
	for c.wakes < c.from+c.waited {
		wake := c.wake
		c.mu.Unlock()
		<-wake
		c.mu.Lock()
	}
	c.mu.Unlock()
	return nil
}
