package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// status is what is asked of the sidecar's status page.
type status struct {
	Listen             string
	ServerCertificates []struct{ SHA256 string }
	ClientCAs          []struct{ SHA256 string }
	RevocationLists    []struct{ Issuer, Number, State string }
	Troubles           []struct{ Name, Fault string }
}

func (d *day) status() (status, error) {
	var s status
	text, err := d.sidecar.Get("/status.json")
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// until asks again and again.
func (r *rotator) until(ctx context.Context, what string, ask func() (bool, error)) error {
	for begun := time.Now(); ; {
		is, err := ask()
		if err != nil || is {
			return err
		}
		if time.Since(begun) > patience {
			return fmt.Errorf("%s: not in force after %s", what, patience)
		}
		if !wait(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// awaitForce waits until the sidecar says that it goes by a state.
func (r *rotator) awaitForce(ctx context.Context, want *state) error {
	var last error
	err := r.until(ctx, "a change", func() (bool, error) {
		got, err := r.status()
		if err != nil {
			return false, err
		}
		last = r.differs(&got, want)
		return last == nil, nil
	})
	return errors.Join(err, last)
}

// differs says what of a state is not in force.
func (r *rotator) differs(got *status, want *state) error {
	if due := hashOf(r.servers.leaves[want.server]); len(got.ServerCertificates) != 1 || got.ServerCertificates[0].SHA256 != due {
		return fmt.Errorf("the server has %v, want %s", got.ServerCertificates, due)
	}
	trusted := map[string]bool{}
	for i, is := range want.trusted {
		if is {
			trusted[hashOf(r.people.cas[i].Cert.Raw)] = true
		}
	}
	for _, one := range got.ClientCAs {
		if !trusted[one.SHA256] {
			return fmt.Errorf("%s is trusted still", one.SHA256)
		}
		delete(trusted, one.SHA256)
	}
	if len(trusted) > 0 {
		return fmt.Errorf("%v are not trusted yet", trusted)
	}
	return r.listsDiffer(got)
}

// listsDiffer looks at the lists of the CAs that are always trusted: others' do not change.
// The list of an intermediate waits until a client has shown its CA, and the one before
// it is shown as long as that; it counts for whoever shows it all the same.
func (r *rotator) listsDiffer(got *status) error {
	for _, list := range []int{steadyCA, intermediateList} {
		issuer, due, found := "CN="+r.authority(list).Cert.Subject.CommonName, strconv.FormatInt(r.numbers[list], 10), false
		for _, one := range got.RevocationLists {
			found = found || one.Issuer == issuer && one.Number == due && (one.State == "current" || list == intermediateList)
		}
		if !found {
			return fmt.Errorf("there is no list of %s with number %s among %v", issuer, due, got.RevocationLists)
		}
	}
	return nil
}

// harm replaces files of a volume by damaged ones, waits until that is noticed, and mends
// it; belief must stay as it was all the time, so that no epoch begins.
func (r *rotator) harm(ctx context.Context, v *volume, good, bad files) error {
	r.damaged++
	if err := errors.Join(v.put(bad), r.hasten()); err != nil {
		return err
	}
	noticed := func(want bool) func() (bool, error) {
		return func() (bool, error) {
			got, err := r.status()
			return (len(got.Troubles) > 0) == want, err
		}
	}
	err := r.until(ctx, "the trouble of a damaged file", noticed(true))
	if err == nil {
		wait(ctx, r.options.rotation()/2) // clients live with it for a while
	}
	if mending := errors.Join(v.put(good), r.hasten()); err != nil || mending != nil {
		return errors.Join(err, mending)
	}
	return r.until(ctx, "the end of the trouble", noticed(false))
}

func (r *rotator) damageList(ctx context.Context) error {
	bad := maps.Clone(r.files.crl)
	name := listName(pick(r.random, []int{steadyCA, intermediateList}))
	kind := r.random.IntN(3)
	if kind == 2 {
		name = listName(steadyCA) // an intermediate's waits for its CA to be shown, and nobody could tell
	}
	block, _ := pem.Decode(bad[name])
	switch kind {
	case 0:
		bad[name] = bad[name][:len(bad[name])/2]
	case 1:
		bad[name] = block.Bytes[:len(block.Bytes)/2]
	case 2:
		block.Bytes[len(block.Bytes)-9] ^= 1 // in the signature
		bad[name] = pem.EncodeToMemory(block)
	}
	return r.harm(ctx, r.crl, r.files.crl, bad)
}

func (r *rotator) damageCA(ctx context.Context) error {
	bad := files{"ca.crt": pick(r.random, [][]byte{nil, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte("nothing\n")})}
	return r.harm(ctx, r.ca, r.files.ca, bad)
}

// damageServer writes the certificate without its key's file having come along.
func (r *rotator) damageServer(ctx context.Context) error {
	good := r.files.server
	certificate, _, _ := bytes.Cut(good["tls.pem"], []byte("-----BEGIN PRIVATE KEY-----"))
	return r.harm(ctx, r.server, good, files{"tls.pem": certificate})
}
