package diff

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file owns how an answer is looked at: as lines of a path and a value,
// in which what must differ between two servers (ids, ports, the clock) has a
// name instead.

const (
	there    = "(there)" // the value of an element of a list
	elements = ".(elements)"
)

// line is one field of an answer.
type line struct{ path, value string }

// view turns one server's answers into lines. An opaque value is named after
// the place where it was first seen, so that its later uses are compared too.
type view struct {
	target *target
	suffix string
	names  map[string]string   // full name -> $short
	opaque map[string]string   // value -> its name
	topics map[[16]byte]string // topic id -> $short
	step   string
	out    []line
}

func newView(t *target, suffix string) *view {
	return &view{target: t, suffix: suffix, names: make(map[string]string), opaque: make(map[string]string), topics: make(map[[16]byte]string)}
}

func (v *view) lines(step string, resp kmsg.Response, extra int, mine []string) []line {
	v.step, v.out = step, nil
	v.add(answered, "yes")
	if extra != 0 {
		v.add("(bytes beyond the answer)", strconv.Itoa(extra))
	}
	v.fields("", kmsg.NameForKey(resp.Key()), reflect.ValueOf(resp).Elem(), mine)
	return v.out
}

func (v *view) add(path, value string) { v.out = append(v.out, line{path, value}) }

// fields walks a struct. kind is its path without what is in brackets.
func (v *view) fields(path, kind string, s reflect.Value, mine []string) {
	for i := range s.NumField() {
		name := s.Type().Field(i).Name
		if name == "Version" {
			continue
		}
		at := name
		if path != "" {
			at = path + "." + name
		}
		f := s.Field(i)
		if name == "UnknownTags" {
			if tags := f.Addr().Interface().(*kmsg.Tags); tags.Len() > 0 {
				tags.Each(func(key uint32, val []byte) { v.add(fmt.Sprintf("%s[%d]", at, key), strconv.Quote(string(val))) })
			}
			continue
		}
		v.field(at, kind+"."+name, name, f, mine)
	}
}

func (v *view) field(path, kind, name string, f reflect.Value, mine []string) {
	switch {
	case f.Kind() == reflect.Struct:
		v.fields(path, kind, f, nil)
	case f.Kind() == reflect.Pointer && f.Type().Elem().Kind() == reflect.Struct && !f.IsNil():
		v.fields(path, kind, f.Elem(), nil)
	case name == "RecordBatches", name == "Records" && f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Uint8: // Fetch, ShareFetch
		v.batches(path, f.Bytes())
	case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct:
		v.list(path, kind, f, slices.Contains(mine, name))
	case f.Kind() == reflect.Slice && f.Type().Elem().Kind() != reflect.Uint8:
		if f.IsNil() {
			v.add(path, "null")
			return
		}
		var values []string
		for i := range f.Len() {
			values = append(values, v.value(path, name, f.Index(i)))
		}
		if _, free := unordered[kind]; free {
			slices.Sort(values)
		}
		v.add(path, "["+strings.Join(values, " ")+"]")
	default:
		v.add(path, v.value(path, name, f))
	}
}

// list walks a list of structs. Elements are known by what identifies them,
// so that one that is missing does not shift the others.
func (v *view) list(path, kind string, f reflect.Value, mine bool) {
	if f.IsNil() && !mine {
		v.add(path, "null")
		return
	}
	var order []string
	count := make(map[string]int)
	for i := range f.Len() {
		e := f.Index(i)
		if mine && !v.isMine(e) {
			continue
		}
		key := v.identity(e)
		if key == "" {
			key = strconv.Itoa(i)
		}
		if count[key]++; count[key] > 1 {
			key = fmt.Sprintf("%s again %d", key, count[key]-1)
		}
		order = append(order, key)
		v.add(path+"["+key+"]", there)
		v.fields(path+"["+key+"]", kind, e, nil)
	}
	if _, free := unordered[kind]; free {
		slices.Sort(order)
	}
	v.add(path+elements, strings.Join(order, ", "))
}

// identities are the fields that tell the elements of a list apart, most
// telling first.
var identities = []string{"TransactionalID", "Topic", "Group", "ResourceName", "Name", "Key", "ApiKey", "Partition", "NodeID", "InstanceID", "TopicID", "MemberID", "ProducerID", "User", "ReplicaID"}

func (v *view) identity(e reflect.Value) string {
	if of := e.FieldByName("Entity"); of.IsValid() { // of a quota
		var parts []string
		for i := range of.Len() {
			part := of.Index(i)
			parts = append(parts, part.FieldByName("Type").String()+"="+v.value("", "Name", part.FieldByName("Name")))
		}
		slices.Sort(parts)
		return strings.Join(parts, ",")
	}
	if e.FieldByName("Principal").IsValid() && e.FieldByName("Operation").IsValid() && !e.FieldByName("ResourceName").IsValid() { // an ACL of a resource
		var parts []string
		for _, name := range []string{"Principal", "Host", "Operation", "PermissionType"} {
			parts = append(parts, v.value("", name, e.FieldByName(name)))
		}
		return strings.Join(parts, " ")
	}
	for _, name := range identities {
		f := e.FieldByName(name)
		if !f.IsValid() {
			continue
		}
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			f = f.Elem()
		}
		switch f.Kind() {
		case reflect.String:
			s := f.String()
			if name == "MemberID" {
				if known := v.known(s); known != "" {
					return known
				}
				continue
			}
			if s == "" && name == "Topic" && e.FieldByName("TopicID").IsValid() {
				continue // by id then
			}
			return v.text("", s)
		case reflect.Array:
			id := f.Interface().([16]byte)
			if id == [16]byte{} {
				continue
			}
			if short, ok := v.topics[id]; ok {
				return short
			}
		default:
			return v.value("", name, f)
		}
	}
	return ""
}

func (v *view) isMine(e reflect.Value) bool {
	for _, name := range identities {
		f := e.FieldByName(name)
		if !f.IsValid() {
			continue
		}
		if f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		if f.Kind() == reflect.String {
			return strings.HasSuffix(f.String(), v.suffix)
		}
	}
	return false
}

func (v *view) known(value string) string {
	if name, ok := v.opaque[value]; ok {
		return name
	}
	for _, id := range uuids.FindAllString(value, -1) {
		if _, ok := v.opaque[id]; !ok {
			return ""
		}
	}
	if uuids.MatchString(value) {
		return v.text("", value)
	}
	return ""
}

// id names an opaque value.
func (v *view) id(path, value string) string {
	name, ok := v.opaque[value]
	if !ok {
		name = "<" + path + " of " + strconv.Quote(v.step) + ">"
		v.opaque[value] = name
	}
	return name
}

var (
	uuids       = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)
	directories = regexp.MustCompile(`directoryId=[0-9A-Za-z_-]{22}`)
	millis      = regexp.MustCompile(`\b1[0-9]{12}\b|-92233[0-9]{14}\b`)
)

func (v *view) text(path, s string) string {
	if v.target.cluster != "" {
		s = strings.ReplaceAll(s, v.target.cluster, "$cluster")
	}
	full := slices.SortedFunc(maps.Keys(v.names), func(a, b string) int { return len(b) - len(a) })
	for _, name := range full {
		s = strings.ReplaceAll(s, name, v.names[name])
	}
	s = uuids.ReplaceAllStringFunc(s, func(id string) string { return v.id(path, id) })
	s = directories.ReplaceAllStringFunc(s, func(d string) string {
		if strings.HasPrefix(d, "directoryId=AAAAAAAAAAAAAAAAAAAA") {
			return d // a script's
		}
		return "directoryId=<an id>"
	})
	return ordered(millis.ReplaceAllString(s, "<ms>"))
}

// nodes are the fields that hold a node's id.
var nodes = map[string]bool{
	"NodeID": true, "ReplicaID": true, "Leader": true, "LeaderID": true, "ControllerID": true,
	"Replicas": true, "ISR": true, "OfflineReplicas": true,
}

func (v *view) value(path, name string, f reflect.Value) string {
	if f.Kind() == reflect.Pointer {
		if f.IsNil() {
			return "null"
		}
		f = f.Elem()
	}
	switch f.Kind() {
	case reflect.Array:
		id := f.Interface().([16]byte)
		if id == [16]byte{} {
			return "zero"
		}
		return v.id(path, string(id[:]))
	case reflect.Slice:
		if f.IsNil() {
			return "null"
		}
		if name == "HMAC" && f.Len() > 0 {
			return v.id(path, string(f.Bytes()))
		}
		return strconv.Quote(v.text(path, string(f.Bytes())))
	case reflect.String:
		if (name == "Dir" || name == "TokenID") && f.String() != "" {
			return v.id(path, f.String())
		}
		if strings.HasPrefix(f.String(), "Request Request(") { // with ports and Java's addresses
			return `"Request is not authorized."`
		}
		return strconv.Quote(v.text(path, f.String()))
	case reflect.Uint16: // only ports are
		return "some port"
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.number(path, name, f.Int())
	}
	return fmt.Sprint(f.Interface())
}

func (v *view) number(path, name string, n int64) string {
	switch {
	case strings.HasSuffix(name, "ErrorCode"):
		return errorName(int16(n))
	case nodes[name] && n == int64(v.target.nodeID):
		return "$node"
	case name == "FinalizedFeaturesEpoch" && n >= 0:
		return "some epoch" // an offset in the log of metadata
	case strings.HasPrefix(path, "Topics[__cluster_metadata]") && (strings.HasSuffix(name, "Offset") || name == "HighWatermark" || name == "LeaderEpoch") && n > 0:
		return "some"
	case (name == "TotalBytes" || name == "UsableBytes") && n > 0:
		return "some bytes"
	case name == "Port" && n == int64(v.target.port):
		return "$port"
	case (name == "SessionID" && n != 0) || (name == "ProducerID" && n >= 0):
		return v.id(path, fmt.Sprint(name, n))
	case strings.HasSuffix(name, "Timestamp") || name == "LogAppendTime":
		return moment(n)
	}
	return strconv.FormatInt(n, 10)
}

func errorName(code int16) string {
	if err := kerr.TypedErrorForCode(code); err != nil {
		return fmt.Sprintf("%d %s", code, err.Message)
	}
	return strconv.Itoa(int(code))
}

// moment shows a timestamp of a script as its distance from base, one that a
// server's clock gave as "now", and others as they are.
func moment(ms int64) string {
	switch {
	case ms >= base && ms < base+time.Hour.Milliseconds():
		return fmt.Sprintf("base+%d", ms-base)
	case ms > base+(2*time.Hour).Milliseconds() && ms < base+(5*time.Hour).Milliseconds():
		return "now"
	case ms >= base+(5*time.Hour).Milliseconds() && ms < base+(7*time.Hour).Milliseconds():
		return fmt.Sprintf("base+%d", ms-base) // a script's, in the future
	}
	if days, rest := (ms-base)/day, (ms-base)%day; days >= 1 && days <= 7 && rest > (2*time.Hour).Milliseconds() && rest < (5*time.Hour).Milliseconds() {
		return fmt.Sprintf("now and %d days", days)
	}
	return strconv.FormatInt(ms, 10)
}

const day = int64(24 * time.Hour / time.Millisecond)
