package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"mtls-sidecar/proxy/http1"
)

// ErrorCode is why HTTP/2 ends a stream or a connection (RFC 9113 §7).
type ErrorCode uint32

// errorCodes are in the order of their numbers.
var errorCodes = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
	"STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
	"CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// Those that are told apart.
const (
	RefusedStream      ErrorCode = 0x7
	Cancel             ErrorCode = 0x8
	EnhanceYourCalm    ErrorCode = 0xb
	InadequateSecurity ErrorCode = 0xc
)

func (c ErrorCode) String() string {
	if int(c) < len(errorCodes) {
		return errorCodes[c]
	}
	return fmt.Sprintf("error code 0x%x", uint32(c))
}

// H2CError is an exchange that was ended before its time, by the application or
// with the connection.
type H2CError struct {
	// Reset: by the application's RST_STREAM with Code; else with the connection.
	Reset bool
	Code  ErrorCode
	// Unprocessed: it has said that it did nothing about the request
	// (REFUSED_STREAM, or GOAWAY with a smaller stream; RFC 9113 §8.7), or it was
	// not sent to it at all.
	Unprocessed bool
	// Lost: the connection ended without a word, and had brought answers before:
	// it may have been about to end when the request was sent on it.
	Lost bool
	// BodyTaken: bytes of the request's Body have been read.
	BodyTaken bool

	err error
}

func (e *H2CError) Error() string {
	if e.Reset {
		return "the application has reset the stream: " + e.Code.String()
	}
	return "the connection to the application has ended: " + e.err.Error()
}

// Unwrap gives what net/http says.
func (e *H2CError) Unwrap() error { return e.err }

// Again reports whether the same Request may be given to Do once more. safe is
// whether its method does no harm when it is carried out twice.
func (e *H2CError) Again(safe bool) bool {
	return !e.BodyTaken && (e.Unprocessed || safe && e.Lost)
}

// net/http keeps these errors to itself. What it writes is compared: the tests,
// which bring about each of them, fail when it finds other words.
const (
	sayUnusable    = "http2: client conn not usable"
	sayUnmade      = "http2: client conn could not be established"
	sayGoneAway    = "http2: Transport received Server's graceful shutdown GOAWAY"
	sayGoneAwayOne = "http2: Transport received GOAWAY from server ErrCode:"
	sayWentAway    = "http2: server sent GOAWAY and closed the connection;"
	sayHeadLarge   = "http2: response header list larger than advertised limit"
	sayAskTooLarge = "request header list larger than peer's advertised limit"
	sayFromPeer    = "received from peer"
)

// neverSent reports whether a connection ended before the request was written
// to it.
func neverSent(err error) bool {
	return err.Error() == sayUnusable || err.Error() == sayUnmade
}

// wasTooLarge reports whether a request was not written because the application
// takes no head so large.
func wasTooLarge(err error) bool { return strings.HasSuffix(err.Error(), sayAskTooLarge) }

// streamFault has the shape of net/http's own error for a stream, which errors.As
// fills in by its fields.
type streamFault struct {
	StreamID uint32
	Code     ErrorCode
	Cause    error
}

func (e streamFault) Error() string { return e.Code.String() }

var (
	errClosed          = errors.New("the exchange is closed")
	errRequestTooLarge = &http1.Error{Status: http1.ErrHeadTooLarge.Status, Text: "the head is larger than the application takes (SETTINGS_MAX_HEADER_LIST_SIZE)"}
)

// fault says whose fault an error of net/http's is.
func (a *Answer) fault(err error) error {
	taken, _, bodys := a.upload.state()
	var stream streamFault
	var ours *http1.Error
	switch text := err.Error(); {
	case a.ctx.Err() != nil:
		return context.Cause(a.ctx)
	case bodys != nil:
		return bodys
	case a.response != nil && err == io.ErrUnexpectedEOF:
		return errShort
	case errors.Is(err, ErrNotHTTP2), errors.Is(err, errSilent), errors.As(err, &ours):
		return err
	case a.h2c.life.Err() != nil:
		return net.ErrClosed
	case wasTooLarge(err):
		return errRequestTooLarge
	case errors.As(err, &stream):
		return a.streamFault(stream, taken)
	default:
		return &H2CError{
			Unprocessed: neverSent(err) || text == sayGoneAway || strings.HasPrefix(text, sayGoneAwayOne),
			Lost:        a.kept && connectionLost(err),
			BodyTaken:   taken,
			err:         err,
		}
	}
}

// streamFault tells a reset by the application from an answer that net/http has
// refused.
func (a *Answer) streamFault(stream streamFault, taken bool) error {
	var ours *http1.Error
	switch {
	case stream.Cause == nil:
		return &http1.Error{Status: 502, Text: "the answer breaks the rules of HTTP/2: " + stream.Code.String()}
	case stream.Cause.Error() == sayFromPeer:
		return &H2CError{Reset: true, Code: stream.Code, Unprocessed: stream.Code == RefusedStream, BodyTaken: taken, err: stream}
	case stream.Cause.Error() == sayHeadLarge:
		return errAnswerHeadTooLarge
	case errors.As(stream.Cause, &ours):
		return ours
	}
	return &http1.Error{Status: 502, Text: "the answer breaks the rules of HTTP/2: " + stream.Cause.Error()}
}

// connectionLost tells the end of a connection from a timeout of ours, and from
// frames that nobody could read.
func connectionLost(err error) bool {
	var op *net.OpError
	return err == io.ErrUnexpectedEOF || errors.As(err, &op) && !op.Timeout() || strings.HasPrefix(err.Error(), sayWentAway)
}
