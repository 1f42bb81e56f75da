/** Version of requests and answers. */
export const WIRE_VERSION = 1
/** Length of a session id, bytes. */
export const SESSION_BYTES = 16
/** Length of the digest prefix in every answer, bytes: enough to detect a different model. */
export const DIGEST_BYTES = 8
/** Maximum vocabulary size, ids. */
export const VOCABULARY_MAX = 2 ** 22
/** Maximum text length, tokens. */
export const TEXT_MAX = 2 ** 24
