// Package markdown finds the fenced blocks of a Markdown page, with the mark that says how a test checks them.
package markdown

import (
	"fmt"
	"os"
	"strings"
)

// Block is one fenced block.
type Block struct {
	File string
	Line int    // of the opening fence, from 1
	Lang string // the word after the fence
	Mark string // text of the comment `<!-- test: ... -->` on the line before the fence, "" when there is none
	Text string // what is between the fences, with its last newline
}

// Place is the block's file and line, for messages.
func (b Block) Place() string { return fmt.Sprintf("%s:%d", b.File, b.Line) }

// Blocks returns the page's fenced blocks in order.
func Blocks(path string) ([]Block, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var blocks []Block
	var open *Block
	var fence, indent, before string
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		text := strings.TrimSpace(line)
		switch {
		case open != nil && text == fence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.Text += strings.TrimPrefix(line, indent)
		case strings.HasPrefix(text, "```"):
			lang := strings.TrimLeft(text, "`")
			fence = text[:len(text)-len(lang)]
			indent = line[:strings.Index(line, "`")]
			open = &Block{File: path, Line: n, Lang: lang, Mark: before}
		}
		before = ""
		if m, ok := strings.CutPrefix(text, "<!-- test: "); ok {
			before = strings.TrimSuffix(m, " -->")
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the fence is never closed", open.Place())
	}
	return blocks, nil
}
