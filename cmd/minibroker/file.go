package main

// This file owns --config: YAML or Java properties with the names of flags and
// of Kafka's broker configs. A server.properties of Apache Kafka is such a file.

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/magiconair/properties"
	"go.yaml.in/yaml/v3"
)

// fileKeys are the keys that are flags; all others are broker configs.
var fileKeys = []string{"host", "port", "brokers", "rack", "user", "super-user", "acl", "security-protocol", "extra-port", "tls-cert", "tls-key", "tls-client-ca", "tls-ca-out", "http-port", "api", "clock", "transcript", "advertise", "published", "log-level", "log-format"}

func fromFile(path string) (layer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, reason(err))
	}
	f := &file{name: filepath.Base(path), layer: layer{}}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml", ".json":
		err = f.readYAML(text)
	default:
		err = f.readProperties(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f.layer, nil
}

type file struct {
	name  string
	layer layer
}

// put files the values of a key. One value may hold several of a repeatable
// flag.
func (f *file) put(key string, values ...string) {
	place := key + " in " + f.name
	switch {
	case key == "fixture" || key == "fixtures":
		for _, v := range values {
			for _, path := range splitRepeated(v) {
				f.layer["fixture"] = append(f.layer["fixture"], setting{path, place, false})
			}
		}
	case key == "topic" || key == "topics":
		for _, v := range values {
			for _, t := range splitRepeated(v) {
				f.layer["topic"] = append(f.layer["topic"], setting{t, place, false})
			}
		}
	case key == "user" || key == "super-user" || key == "acl" || key == "extra-port":
		for _, v := range values {
			for _, one := range splitRepeated(v) {
				f.layer[key] = append(f.layer[key], setting{one, place, false})
			}
		}
	case slices.Contains(fileKeys, key):
		f.layer[key] = append(f.layer[key], setting{strings.Join(values, ","), place, false})
	default:
		f.layer["set"] = append(f.layer["set"], setting{key + "=" + strings.Join(values, ","), place, false})
	}
}

func (f *file) readProperties(text []byte) error {
	// Apache Kafka does not expand ${...} without a config provider either.
	p, err := (&properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}).LoadBytes(text)
	if err != nil {
		return err
	}
	for _, key := range p.Keys() {
		value, _ := p.Get(key)
		f.put(key, value)
	}
	return nil
}

func (f *file) readYAML(text []byte) error {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil // an empty file
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: write name: value, such as num.partitions: 3", root.Line)
	}
	seen := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], resolve(root.Content[i+1])
		if seen[key.Value] {
			return fmt.Errorf("line %d: %s is given twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		if (key.Value == "topics" || key.Value == "topic") && value.Kind == yaml.MappingNode {
			if err := f.readTopics(key.Value, value); err != nil {
				return err
			}
			continue
		}
		values, err := scalars(key.Value, value)
		if err != nil {
			return err
		}
		if values != nil {
			f.put(key.Value, values...)
		}
	}
	return nil
}

// readTopics reads topics written as a map: name to partitions, or to a map of
// partitions and topic configs.
func (f *file) readTopics(key string, topics *yaml.Node) error {
	for i := 0; i < len(topics.Content); i += 2 {
		name, value := topics.Content[i].Value, resolve(topics.Content[i+1])
		partitions, settings := "", []string{}
		if value.Kind == yaml.MappingNode {
			for j := 0; j < len(value.Content); j += 2 {
				k := value.Content[j].Value
				values, err := scalars(name+"."+k, resolve(value.Content[j+1]))
				switch text := strings.Join(values, ","); {
				case err != nil:
					return err
				case k == "partitions":
					partitions = text
				default:
					settings = append(settings, k+"="+text)
				}
			}
		} else {
			values, err := scalars(name, value)
			if err != nil {
				return err
			}
			partitions = strings.Join(values, ",")
		}
		f.put(key, name+":"+partitions+":"+strings.Join(settings, ","))
	}
	return nil
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// scalars reads a value or a list of values, as they were written; null is
// none.
func scalars(key string, n *yaml.Node) ([]string, error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil, nil
	case n.Kind == yaml.ScalarNode:
		return []string{n.Value}, nil
	case n.Kind == yaml.SequenceNode:
		values := make([]string, 0, len(n.Content))
		for _, item := range n.Content {
			if item = resolve(item); item.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("line %d: %s: a list may have plain values only", item.Line, key)
			}
			values = append(values, item.Value)
		}
		return values, nil
	}
	return nil, fmt.Errorf("line %d: %s must be one value or a list", n.Line, key)
}
