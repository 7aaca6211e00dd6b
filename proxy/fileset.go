package proxy

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// fileSet is a group of files that is read, checked and put in force as a
// whole: a certificate counts only with its key. The groups are independent, so that
// a damaged revocation list does not keep a renewed server certificate out.
type fileSet struct {
	name  string
	files func(*Config) []string // and folders
	load  func(*Material, *Config) error
	take  func(to, from *Material)
}

const (
	serverFiles = iota
	authorityFiles
	crlFiles
	ticketFiles
	fileSetCount
)

var fileSets = [fileSetCount]fileSet{
	serverFiles: {
		name:  "server certificate",
		files: (*Config).serverFiles,
		load:  (*Material).loadCertificates,
		take:  func(to, from *Material) { to.Certificates = from.Certificates },
	},
	authorityFiles: {
		name:  "client CAs",
		files: (*Config).authorityFiles,
		load:  (*Material).loadCAs,
		take:  func(to, from *Material) { to.CAs, to.Hints = from.CAs, from.Hints },
	},
	crlFiles: {
		name:  "revocation lists",
		files: (*Config).CRLFiles,
		load:  (*Material).loadCRLs,
		take:  func(to, from *Material) { to.CRLs, to.Unread = from.CRLs, from.Unread },
	},
	ticketFiles: {
		name:  "ticket keys",
		files: func(c *Config) []string { return c.TicketKeyFiles },
		load:  (*Material).loadTicketKeys,
		take:  func(to, from *Material) { to.TicketKeys = from.TicketKeys },
	},
}

func (c *Config) serverFiles() []string {
	files := slices.Concat(c.CertFile, c.KeyFile)
	if c.KeyPassphraseFile != "" {
		files = append(files, c.KeyPassphraseFile)
	}
	return files
}

func (c *Config) authorityFiles() []string {
	if c.VerifyClient == VerifyOff {
		return nil
	}
	files := slices.Clone([]string(c.ClientCAFile))
	if c.hintsFile() != "" {
		files = append(files, c.hintsFile())
	}
	return files
}

// hintsFile is the file of MTLS_CA_HINTS, if it names one.
func (c *Config) hintsFile() string {
	if c.CAHints == "on" || c.CAHints == "off" {
		return ""
	}
	return c.CAHints
}

// fingerprintLimit is the size of the largest file that can be of use.
func (c *Config) fingerprintLimit() int64 { return max(int64(c.CRLMaxBytes), 16<<20) }

// fingerprint stands for the content of files. What cannot be read has one, too,
// so that a file that comes back or becomes readable is a change.
type fingerprint [sha256.Size]byte

// fingerprintOf reads all of the files. Neither times nor inodes are looked at:
// Kubernetes swaps a symbolic link, others rename, others write in place, and
// a file system's clock may be coarse.
//
// Of a file larger than limit, which would be refused anyway, only size and time count.
func fingerprintOf(paths []string, limit int64) fingerprint {
	h := sha256.New()
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !info.IsDir() {
			addFile(h, path, limit)
			continue
		}
		entries, err := os.ReadDir(path)
		fmt.Fprintf(h, "folder %q %v\n", path, err)
		for _, entry := range entries {
			if file := filepath.Join(path, entry.Name()); !strings.HasPrefix(entry.Name(), "..") {
				addFile(h, file, limit)
			}
		}
	}
	return fingerprint(h.Sum(nil))
}

// addFile adds a file's name, permissions and content. The content's own hash
// keeps what follows it apart.
func addFile(h hash.Hash, path string, limit int64) {
	file, info, err := openRegular(path)
	if err != nil {
		fmt.Fprintf(h, "file %q %v\n", path, err)
		return
	}
	defer file.Close()
	if info.Size() > limit {
		fmt.Fprintf(h, "large %q %v %d %v\n", path, info.Mode(), info.Size(), info.ModTime())
		return
	}
	content := sha256.New()
	_, err = io.Copy(content, file)
	fmt.Fprintf(h, "file %q %v %v %x\n", path, info.Mode(), err, content.Sum(nil))
}
