package headers

import "sort"

// shortName returns what OpenSSL 3.0 calls an attribute type in a name: the short name of the object that has these OID
// content bytes. Any object counts, not only those that are meant for names: an attribute of type 1.2.840.113549.1.1.1 is
// printed as rsaEncryption=. A later OpenSSL knows more objects and prints some dotted ones by name.
func shortName(oid []byte) (name string, known bool) {
	i := sort.Search(len(shortNames), func(i int) bool { return shortNames[i].oid >= string(oid) })
	if i < len(shortNames) && shortNames[i].oid == string(oid) {
		return shortNames[i].name, true
	}
	return "", false
}
