package config

// This file owns changes: what IncrementalAlterConfigs (KIP-339) and
// AlterConfigs do to the configs of a topic, group or broker.

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// OpType is what IncrementalAlterConfigs does to a key, numbered as on the
// wire.
type OpType int8

const (
	OpSet OpType = iota
	OpDelete
	OpAppend
	OpSubtract
)

// Op is one change. AlterConfigs' entries are Ops of type Set.
type Op struct {
	Name  string
	Type  OpType
	Value *string
}

// CheckKeys holds what Kafka demands of any resource's keys
// (ConfigAdminManager.preprocess).
func CheckKeys(ops []Op) *Error {
	seen := make(map[string]bool, len(ops))
	var nulls []string
	for _, op := range ops {
		if seen[op.Name] {
			return invalidRequest("Error due to duplicate config keys")
		}
		seen[op.Name] = true
		if op.Value == nil && op.Type != OpDelete {
			nulls = append(nulls, op.Name)
		}
	}
	if len(nulls) > 0 {
		return invalidRequest("Null value not supported for : " + strings.Join(nulls, ", "))
	}
	return nil
}

// Known says whether the operation is one that there is.
func (op *Op) Known() bool { return op.Type >= OpSet && op.Type <= OpSubtract }

// CheckOps holds what Kafka demands of any resource's changes.
func CheckOps(ops []Op) *Error {
	if err := CheckKeys(ops); err != nil {
		return err
	}
	for _, op := range ops {
		if !op.Known() {
			return invalidRequest("Unknown operations type " + strconv.Itoa(int(op.Type)))
		}
	}
	return nil
}

// apply makes the changes to a copy of values. refused is the text for an
// Append or Subtract to what is not a list.
func apply(values map[string]string, ops []Op, find func(string) *Def, refused func(op, name string) string) (map[string]string, *Error) {
	next := maps.Clone(values)
	if next == nil {
		next = make(map[string]string, len(ops))
	}
	for _, op := range ops {
		switch op.Type {
		case OpSet:
			next[op.Name] = *op.Value
		case OpDelete:
			delete(next, op.Name)
		case OpAppend, OpSubtract:
			d := find(op.Name)
			if d == nil || d.Type != TypeList {
				verb := "APPEND"
				if op.Type == OpSubtract {
					verb = "SUBTRACT"
				}
				return nil, invalidConfig(refused(verb, op.Name))
			}
			current, ok := next[op.Name]
			if !ok && d.Default != nil {
				current = *d.Default
			}
			next[op.Name] = changeList(current, *op.Value, op.Type)
		}
	}
	return next, nil
}

// changeList adds elements that are not there, or takes elements away. What is
// already there is kept as it was written.
func changeList(current, change string, op OpType) string {
	list := slices.DeleteFunc(strings.Split(current, ","), func(s string) bool { return s == "" })
	for element := range strings.SplitSeq(change, ",") {
		at := slices.Index(list, element)
		switch {
		case op == OpAppend && at < 0:
			list = append(list, element)
		case op == OpSubtract && at >= 0:
			list = slices.Delete(list, at, at+1)
		}
	}
	return strings.Join(list, ",")
}

// set is what AlterConfigs makes of its entries: they are all there is.
func set(entries []Op) map[string]string {
	values := make(map[string]string, len(entries))
	for _, e := range entries {
		values[e.Name] = *e.Value
	}
	return values
}

func notList(op, name string) string {
	return "Can't " + op + " to key " + name + " because its type is not LIST."
}

func asError(err error) *Error {
	e, _ := err.(*Error)
	return e
}

// AlterTopic is IncrementalAlterConfigs on a topic: it returns the new
// overrides, checked against the broker's configs.
func AlterTopic(overrides map[string]string, ops []Op, b *Broker) (map[string]string, *Error) {
	if err := CheckOps(ops); err != nil {
		return nil, err
	}
	next, err := apply(overrides, ops, func(name string) *Def { return topicByName[name] }, notList)
	if err != nil {
		return nil, err
	}
	if _, err := ResolveTopic(next, b); err != nil {
		return nil, asError(err)
	}
	return next, nil
}

// ReplaceTopic is AlterConfigs on a topic: what is not in entries goes back to
// its default.
func ReplaceTopic(entries []Op, b *Broker) (map[string]string, *Error) {
	if err := CheckOps(entries); err != nil {
		return nil, err
	}
	next := set(entries)
	if _, err := ResolveTopic(next, b); err != nil {
		return nil, asError(err)
	}
	return next, nil
}
