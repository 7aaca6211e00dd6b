package headers

import "strings"

// caretBefore and caretAfter are how much of a long text is shown around a place, in bytes.
const (
	caretBefore = 40
	caretAfter  = 40
	caretIndent = "      "
)

// caret shows the place in a text that a fault is about, on two lines. What is not visible ASCII is shown as one space or
// question mark, so that the caret stands where it should.
func caret(text string, at int) string {
	at = min(at, len(text))
	from, to := 0, len(text)
	before, after := "", ""
	if at > caretBefore {
		from, before = at-caretBefore, "..."
	}
	if len(text)-at > caretAfter {
		to, after = at+caretAfter, "..."
	}
	shown := make([]byte, 0, to-from)
	for _, b := range []byte(text[from:to]) {
		switch {
		case b == '\n' || b == '\r' || b == '\t':
			b = ' '
		case b < ' ' || b > '~':
			b = '?'
		}
		shown = append(shown, b)
	}
	return caretIndent + before + string(shown) + after + "\n" +
		caretIndent + strings.Repeat(" ", len(before)+at-from) + "^"
}
