// Command modzip writes the zip file that the Go module proxy would make of the
// repository's last commit:
//
//	modzip MODULE VERSION FILE
package main

import (
	"fmt"
	"os"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: modzip MODULE VERSION FILE")
		os.Exit(2)
	}
	if err := run(module.Version{Path: os.Args[1], Version: os.Args[2]}, os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "modzip:", err)
		os.Exit(1)
	}
}

func run(m module.Version, name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := zip.CreateFromVCS(file, m, ".", "HEAD", ""); err != nil {
		return err
	}
	return file.Close()
}
