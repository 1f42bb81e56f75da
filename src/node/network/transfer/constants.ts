import { BLOCK_BYTES_MAX } from '../../../adapter/index.ts'

/**
 * The block protocol. On one stream, any number of times: the asker sends a request frame with the digests of up to 2
 * MiB of blocks; the server answers each in order with a header frame (found, missing or busy) and, where found, the
 * block in frames of at most 128 KiB. If the asker accepts zstd, a block may arrive as one zstd frame instead. Every
 * frame is preceded by its length (unsigned varint). The asker has at most two pending requests per stream, so that the
 * connection never idles between them and at most 4 MiB are in flight.
 */
export const BLOCKS_PROTOCOL = '/loam/blocks/1'

/** Maximum number of digests in one request, reached with small blocks. */
export const DIGESTS_PER_REQUEST_MAX = 256
/** Maximum length of a request: 256 digests of 32 bytes and their CBOR. */
export const REQUEST_BYTES_MAX = 16 * 1024
/** Maximum length of an answer header. */
export const HEADER_BYTES_MAX = 512
/** Maximum length of a block's piece in one frame, small enough for a deadline per piece on a slow connection. */
export const PIECE_BYTES_MAX = 128 * 1024
/**
 * Length of a server's pieces: with the length prefix, the answer's header and the muxer's, one fills two Noise
 * messages (65,519 bytes each). With 128 KiB a third message would carry the last fifty bytes at the cost of a full
 * one.
 */
export const PIECE_BYTES_SENT = 2 * 65_519 - 138
/** Bytes of blocks per request. */
export const BATCH_BYTES_MAX = 2 * BLOCK_BYTES_MAX
/** Pending requests per stream. */
export const REQUESTS_UNDER_WAY_MAX = 2
/** Maximum bytes in flight to an asker, framing included. */
export const IN_FLIGHT_BYTES_MAX =
  REQUESTS_UNDER_WAY_MAX * (BATCH_BYTES_MAX + DIGESTS_PER_REQUEST_MAX * HEADER_BYTES_MAX)

/** Timeout of the other side's next frame. */
export const FRAME_TIMEOUT_MS = 10_000
/** Timeout of an idle stream. */
export const IDLE_TIMEOUT_MS = 30_000
/** Maximum delay that an asker accepts from a busy server. */
export const RETRY_AFTER_MS_MAX = 10_000
