// Package upstream keeps the connections to the application.
//
// It decides which connection a request goes out on: a kept one if a usable one
// is there, else the relay asks for a fresh one. A kept connection is refused when it has been
// idle too long, when its end has been closed, or when a single byte is readable
// on it, since that byte would be taken for the start of the next answer.
//
// It does not decide whether a request may be sent again, or whether a
// connection may be kept after an answer: the relay in package proxy does, which
// knows the messages. See Pool for the connections, Conn for one of them, and H2C
// for an application that speaks HTTP/2, whose connections carry the requests of
// one client each.
package upstream
