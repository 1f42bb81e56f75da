/**
 * Subprotocol of a logits server's WebSocket (RFC 6455). A binary message from the client is a request of the wire's kind;
 * its answer is binary messages and then an empty one, or a message of text `{ error, fault, status, retryAfterMs }`.
 * Answers come in the order of the requests; a later request for the same session ends the answer before.
 */
export const LOGITS_PROTOCOL = 'loam-logits-1'
