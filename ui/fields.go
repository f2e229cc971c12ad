package ui

// This file owns one exchange of /wire: its fields, its bytes, and what it is for.

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fieldsMost is how many fields of a message are shown.
const fieldsMost = 2000

// field is a field of a message, or an item of a list.
type field struct {
	Name  string  `json:"name"`
	Value string  `json:"value,omitempty"`
	Note  string  `json:"note,omitempty"` // what an error code means, or what records hold
	Bad   bool    `json:"bad,omitempty"`
	Kids  []field `json:"fields,omitempty"`
}

// messageView is a request or an answer.
type messageView struct {
	Bytes  int     `json:"bytes"`
	Cut    bool    `json:"cut"`
	Fields []field `json:"fields"` // null: too large to be decoded
	Hex    string  `json:"hex"`    // the beginning of it
}

type exchangeView struct {
	*exchange
	Request  messageView  `json:"request"`
	Response *messageView `json:"response"` // null: there was none
	Errors   []errorNote  `json:"errors"`
}

// errorNote is an error in the answer.
type errorNote struct {
	Code   int16  `json:"code"`
	Name   string `json:"name"`
	Detail string `json:"detail"`
}

func (s *site) exchange(r *http.Request) (any, error) {
	s.wire.look()
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil || id == 0 {
		return nil, say(http.StatusNotFound, "problem.wire.gone")
	}
	rows, _ := s.wire.after(id - 1)
	if len(rows) == 0 || rows[0].ID != id {
		return nil, say(http.StatusNotFound, "problem.wire.gone")
	}
	return viewOf(rows[0]), nil
}

func viewOf(e *exchange) exchangeView {
	v := exchangeView{exchange: e, Errors: []errorNote{}}
	req := kmsg.RequestForKey(e.Key)
	req.SetVersion(e.Version)
	v.Request = e.request.view(req, e.In, nil)
	if e.response.body != nil {
		resp := req.ResponseKind()
		resp.SetVersion(e.Version)
		m := e.response.view(resp, e.Out, &v.Errors)
		v.Response = &m
	}
	return v
}

// decodable is a kmsg.Request or kmsg.Response.
type decodable interface{ ReadFrom([]byte) error }

func (k keptMessage) view(m decodable, size int, errors *[]errorNote) messageView {
	v := messageView{Bytes: size, Cut: k.cut || k.part, Hex: hex.Dump(k.body[:min(len(k.body), 8<<10)])}
	if !k.part && m.ReadFrom(k.body) == nil {
		left := fieldsMost
		v.Fields = fieldsOf(reflect.ValueOf(m).Elem(), &left, errors)
	}
	return v
}

// fieldsOf are the fields of a struct of kmsg.
func fieldsOf(v reflect.Value, left *int, errors *[]errorNote) []field {
	all := []field{}
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "Version" || name == "UnknownTags" {
			continue
		}
		if *left--; *left < 0 {
			return append(all, field{Name: "…"})
		}
		all = append(all, fieldOf(name, v.Field(i), left, errors))
	}
	return all
}

func fieldOf(name string, v reflect.Value, left *int, errors *[]errorNote) field {
	f := field{Name: name}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			f.Value = "null"
			return f
		}
		return fieldOf(name, v.Elem(), left, errors)
	case reflect.Struct:
		f.Kids = fieldsOf(v, left, errors)
	case reflect.Array: // an id
		raw := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(raw), v)
		f.Value, _ = uuid(raw)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			bytesField(&f, v.Bytes())
			return f
		}
		f.Value = "[" + strconv.Itoa(v.Len()) + "]"
		if v.IsNil() {
			f.Value = "null"
		}
		for i := range v.Len() {
			if *left--; *left < 0 {
				f.Kids = append(f.Kids, field{Name: "…"})
				break
			}
			f.Kids = append(f.Kids, fieldOf(strconv.Itoa(i), v.Index(i), left, errors))
		}
	case reflect.String:
		f.Value = strconv.Quote(oneline(visible(v.String())))
	default:
		f.Value = fmt.Sprint(v.Interface())
		if code, ok := v.Interface().(int16); ok && name == "ErrorCode" && code != 0 {
			f.Bad = true
			note := errorNote{Code: code, Name: f.Value}
			if e := kerr.TypedErrorForCode(code); e != nil {
				f.Note, note.Name, note.Detail = e.Message, e.Message, e.Description
			}
			if errors != nil && !slices.Contains(*errors, note) {
				*errors = append(*errors, note)
			}
		}
	}
	return f
}

func bytesField(f *field, b []byte) {
	d := decode(b, "auto", 256)
	switch d.Kind {
	case "null", "empty":
		f.Value = d.Kind
		return
	}
	f.Value = strconv.Itoa(len(b)) + " B: " + d.Line
	if batch := readBatch(b); batch != nil {
		f.Value = strconv.Itoa(len(b)) + " B"
		f.Note = fmt.Sprintf("batch %d…%d, %d records, %s, producer %d epoch %d sequence %d", batch.Base, batch.Last, batch.Records, batch.Codec, batch.ProducerID, batch.Epoch, batch.Sequence)
	}
}

func writeRows(out *bytes.Buffer, rows []*exchange) error {
	raw, err := json.Marshal(rows)
	out.Write(raw)
	return err
}
