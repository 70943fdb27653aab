// Copyright The Glasshouse Authors
// SPDX-License-Identifier: Apache-2.0

// Command s3 starts versitygw, an S3 that keeps objects as files: for tests, and to try things out.
//
//	s3 -key FILE [-listen ADDRESS] FOLDER BUCKET…
//
// versitygw takes its key from the environment, where others can read it: this takes it from the file that
// its clients have, too, in the form of AWS' own. It makes the buckets that are missing.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintf(os.Stderr, "s3: %v\n", err)
		os.Exit(1)
	}
}

func start() error {
	key := flag.String("key", "/run/secrets/s3_credentials", "file with aws_access_key_id and aws_secret_access_key")
	listen := flag.String("listen", ":7070", "address to listen on")
	flag.Parse()
	if flag.NArg() == 0 {
		return fmt.Errorf("no folder to keep objects in: s3 -key FILE FOLDER BUCKET…")
	}
	access, secret, err := read(*key)
	if err != nil {
		return err
	}
	folder := flag.Arg(0)
	for _, bucket := range flag.Args()[1:] {
		if err := os.MkdirAll(filepath.Join(folder, bucket), 0o755); err != nil {
			return fmt.Errorf("bucket %s: %w", bucket, err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program := filepath.Join(filepath.Dir(self), "versitygw")
	environment := append(os.Environ(), "ROOT_ACCESS_KEY="+access, "ROOT_SECRET_KEY="+secret)
	arguments := []string{program, "--port", *listen, "--quiet", "--health", "/health", "posix", folder}
	return syscall.Exec(program, arguments, environment)
}

// read returns the key of the profile "default".
func read(file string) (access, secret string, err error) {
	opened, err := os.Open(file)
	if err != nil {
		return "", "", err
	}
	defer opened.Close()
	profile := ""
	lines := bufio.NewScanner(opened)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			profile = strings.Trim(line, "[] ")
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		if profile != "default" {
			continue
		}
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			access = strings.TrimSpace(value)
		case "aws_secret_access_key":
			secret = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return "", "", err
	}
	if access == "" || secret == "" {
		return "", "", fmt.Errorf("%s: [default] lacks aws_access_key_id or aws_secret_access_key", file)
	}
	return access, secret, nil
}
