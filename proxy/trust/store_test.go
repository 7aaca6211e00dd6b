package trust

import (
	"sync"
	"testing"

	"mtls-sidecar/proxy/pki"
)

func TestEachPublishedSnapshotHasTheNextGeneration(t *testing.T) {
	var store Store
	if store.Current() != nil {
		t.Errorf("an empty store has a snapshot")
	}
	first, second := NewSnapshot(nil, strict()), NewSnapshot(nil, strict())
	if got := first.Generation(); got != 0 {
		t.Errorf("an unpublished snapshot has generation %d", got)
	}
	for i, snap := range []*Snapshot{first, second} {
		store.Publish(snap)
		if store.Current() != snap || snap.Generation() != uint64(i+1) {
			t.Errorf("published as %d: the current one has generation %d", i+1, store.Current().Generation())
		}
	}
}

func TestASnapshotPublishedAgainIsANewOne(t *testing.T) {
	w := newWorld(t)
	var store Store
	snap := NewSnapshot(certs(w.root), strict())
	store.Publish(snap)
	store.Publish(snap)
	again := store.Current()
	if again == snap || snap.Generation() != 1 || again.Generation() != 2 {
		t.Errorf("the same snapshot twice: generations %d and %d, want 1 and 2 of different ones", snap.Generation(), again.Generation())
	}
	if len(again.CAs()) != 1 || again.CAs()[0] != w.root.Cert {
		t.Errorf("the second has other CAs")
	}
}

func TestPublishingFromManySidesNeverRepeatsAGeneration(t *testing.T) {
	var store Store
	snap := NewSnapshot(nil, strict())
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				store.Publish(snap)
				seen := store.Current()
				if generation := seen.Generation(); generation != seen.Generation() || generation == 0 {
					t.Errorf("a published snapshot changed its generation")
				}
			}
		})
	}
	group.Wait()
	if got := store.Current().Generation(); got != 400 {
		t.Errorf("after 400 publications the generation is %d", got)
	}
}

func TestRenewingGivesTheSameContentANewGeneration(t *testing.T) {
	w := newWorld(t)
	var store Store
	store.Renew()
	if store.Current() != nil {
		t.Errorf("renewing nothing has published something")
	}
	snap := NewSnapshot(certs(w.root), strict())
	store.Publish(snap)
	store.Renew()
	renewed := store.Current()
	if renewed == snap || renewed.Generation() != 2 || snap.Generation() != 1 {
		t.Errorf("renewed it has generation %d, the old one %d, want 2 and 1 of different ones", renewed.Generation(), snap.Generation())
	}
	if renewed.content != snap.content {
		t.Errorf("the content is another")
	}
	if v := renewed.Verify(certs(w.leaf(w.root, pki.Options{})), w.now); v.Status != Success {
		t.Errorf("renewed it judges %q", v.Text())
	}
}

// Renew takes the snapshot of the moment, so that it never brings back an old one.
func TestRenewingDoesNotUndoAPublication(t *testing.T) {
	var store Store
	store.Publish(NewSnapshot(nil, strict()))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 100 {
				store.Renew()
			}
		})
	}
	last := NewSnapshot(nil, strict())
	store.Publish(last)
	group.Wait()
	if got := store.Current(); got.content != last.content || got.Generation() != 402 {
		t.Errorf("after 402 publications the generation is %d, the last content: %v", got.Generation(), got.content == last.content)
	}
}
