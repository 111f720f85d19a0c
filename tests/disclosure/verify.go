// Verifies a log of static tiles with Go's own transparency log client: signature, every entry's inclusion in the tree.
// verify DIR VERIFIER-KEY
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type reader struct{ dir string }

func (r reader) Height() int { return 8 }

func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		// C2SP leaves the height out of the path.
		path, err := filepath.Rel("tile/8", tile.Path())
		if err != nil {
			return nil, err
		}
		bytes, err := os.ReadFile(filepath.Join(r.dir, "tile", path))
		if err != nil {
			return nil, err
		}
		if len(bytes) != tile.W*32 {
			return nil, fmt.Errorf("%s has %d bytes", tile.Path(), len(bytes))
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

// The bits that a base64 text leaves over are zero (RFC 4648, 3.5). Go's decoder does not ask; a changed byte there would
// change no meaning, and is refused here all the same.
func canonical(checkpoint string) error {
	lines := strings.Split(checkpoint, "\n")
	words := []string{lines[2]}
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "— "); ok {
			words = append(words, rest[strings.LastIndex(rest, " ")+1:])
		}
	}
	for _, word := range words {
		if _, err := base64.StdEncoding.Strict().DecodeString(word); err != nil {
			return fmt.Errorf("%q: %w", word, err)
		}
	}
	return nil
}

func run(dir, key string) error {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		return err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return err
	}
	if err := canonical(string(text)); err != nil {
		return err
	}
	var origin, root64 string
	var size int64
	if _, err := fmt.Sscanf(opened.Text, "%s\n%d\n%s\n", &origin, &size, &root64); err != nil {
		return err
	}
	root, err := tlog.ParseHash(root64)
	if err != nil {
		return err
	}
	if origin != verifier.Name() {
		return fmt.Errorf("origin %q", origin)
	}
	tree := tlog.Tree{N: size, Hash: root}
	hashes := tlog.TileHashReader(tree, reader{dir})
	if size > 256 {
		return fmt.Errorf("this program reads one bundle only")
	}
	bundle, err := os.ReadFile(filepath.Join(dir, "tile", "entries", fmt.Sprintf("000.p/%d", size)))
	if err != nil {
		return err
	}
	for index := int64(0); index < size; index++ {
		if len(bundle) < 2 {
			return fmt.Errorf("the bundle ends before entry %d", index)
		}
		length := int(binary.BigEndian.Uint16(bundle))
		if len(bundle) < 2+length {
			return fmt.Errorf("the bundle ends in entry %d", index)
		}
		entry := bundle[2 : 2+length]
		bundle = bundle[2+length:]
		proof, err := tlog.ProveRecord(size, index, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, size, root, index, tlog.RecordHash(entry)); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	if len(bundle) != 0 {
		return fmt.Errorf("%d bytes behind the last entry", len(bundle))
	}
	fmt.Println("verified", size, "entries")
	return nil
}
