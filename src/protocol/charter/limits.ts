/** Most members that vote (rule 15 *Bounds*): a control message then stays under 64 KiB. */
export const VOTERS_MAX = 256
/** Most members when a committee votes for them (rule 13 *Sample*). */
export const MEMBERS_MAX = 4096
/** Most bytes of a charter file. */
export const CHARTER_BYTES_MAX = 1024 * 1024
/** Most bytes of one control message: what gossip carries. */
export const MESSAGE_BYTES_MAX = 64 * 1024
/** Most bytes of one sealed round on the wire. */
export const SEALED_ROUND_BYTES_MAX = 4 * 1024 * 1024
