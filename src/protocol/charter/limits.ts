/** Maximum number of voters (rule 15 *Bounds*), so that a control message stays under 64 KiB. */
export const VOTERS_MAX = 256
/** Maximum number of members when a committee votes for them (rule 13 *Sample*). */
export const MEMBERS_MAX = 4096
/** Maximum size of a charter file in bytes. */
export const CHARTER_BYTES_MAX = 1024 * 1024
/** Maximum size of a control message, which gossip carries, in bytes. */
export const MESSAGE_BYTES_MAX = 64 * 1024
/** Maximum size of a sealed round on the wire in bytes. */
export const SEALED_ROUND_BYTES_MAX = 4 * 1024 * 1024
