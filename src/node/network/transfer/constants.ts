import { BLOCK_BYTES_MAX } from '../../../adapter/index.ts'

/**
 * The block protocol. On one stream, any number of times: the asker sends a request frame with the digests of up to
 * 2 MiB of blocks; the server answers each in order with a header frame (found, missing or busy) and, where found, the
 * block in frames of at most 128 KiB. Where the asker takes zstd, a block may come as one zstd frame instead. Every frame has its length in front (unsigned varint). The asker has at most two requests
 * under way on a stream, so that the line never idles between them and at most 4 MiB are ever on their way to it.
 */
export const BLOCKS_PROTOCOL = '/loam/blocks/1'

/** Most digests in one request: small blocks travel many at a time. */
export const DIGESTS_PER_REQUEST_MAX = 256
/** Longest request: 256 digests of 32 bytes and their CBOR. */
export const REQUEST_BYTES_MAX = 16 * 1024
/** Longest answer header. */
export const HEADER_BYTES_MAX = 512
/** Longest piece of a block in one frame. Small enough that each piece can have a deadline on a slow line. */
export const PIECE_BYTES_MAX = 128 * 1024
/**
 * What a server puts into a frame: with its length, an answer's header and the muxer's, it fills two messages of noise
 * (65,519 bytes each). Of 128 KiB a third message would carry the last fifty bytes, for as much work as a full one.
 */
export const PIECE_BYTES_SENT = 2 * 65_519 - 138
/** Blocks asked for in one request, bytes. */
export const BATCH_BYTES_MAX = 2 * BLOCK_BYTES_MAX
/** Requests that an asker has under way on one stream. */
export const REQUESTS_UNDER_WAY_MAX = 2
/** What may be on its way to an asker, framing included. */
export const IN_FLIGHT_BYTES_MAX =
  REQUESTS_UNDER_WAY_MAX * (BATCH_BYTES_MAX + DIGESTS_PER_REQUEST_MAX * HEADER_BYTES_MAX)

/** How long the other side may take for its next frame. */
export const FRAME_TIMEOUT_MS = 10_000
/** How long a stream may stay open without a request. */
export const IDLE_TIMEOUT_MS = 30_000
/** Longest wait that an asker takes a busy server's word for. */
export const RETRY_AFTER_MS_MAX = 10_000
