import { createHash } from 'node:crypto'
import type { ModelFiles } from '../../../node/proxy/index.ts'
import type { SourceDescription } from '../../../prada/index.ts'

/**
 * Describes a source to clients.
 *
 * @param parts everything besides the request that a text depends on
 */
export function describeSource(
  files: ModelFiles,
  name: string,
  ...parts: readonly unknown[]
): SourceDescription {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return {
    name,
    fingerprint: `fp_${digest.slice(0, 12)}`,
    tokenizer: files.tokenizer,
    tokens: files.vocabulary.tokens,
    renderChat: files.renderChat,
    stopIds: files.generation.stopIds,
    ...(files.generation.stop !== undefined && { stop: files.generation.stop })
  }
}
