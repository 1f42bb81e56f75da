/** Version of requests and answers. */
export const WIRE_VERSION = 1
/** Bytes of a session's name. */
export const SESSION_BYTES = 16
/** Bytes of the model's digest that every answer carries: enough to notice another model. */
export const DIGEST_BYTES = 8
/** Largest vocabulary, ids. */
export const VOCABULARY_MAX = 2 ** 22
/** Longest text, tokens. */
export const TEXT_MAX = 2 ** 24
