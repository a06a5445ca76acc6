// Reads one JSON string a line and answers with what distribution's reference package makes of it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/distribution/reference"
	_ "github.com/opencontainers/go-digest"
)

type answer struct {
	OK        bool   `json:"ok"`
	Canonical string `json:"canonical"`
	Familiar  string `json:"familiar"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		var reply answer
		if named, err := reference.ParseNormalizedNamed(text); err == nil {
			reply = answer{true, named.String(), reference.FamiliarString(named)}
		}
		encoded, _ := json.Marshal(reply)
		fmt.Fprintln(out, string(encoded))
	}
}
