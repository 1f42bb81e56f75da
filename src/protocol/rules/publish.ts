import { MESSAGE_BYTES_MAX } from '../charter/limits.ts'
import type { Manifest } from '../messages/bodies.ts'
import { signMessage } from '../messages/message.ts'
import type { Draft } from '../state/draft.ts'
import { say } from '../state/say.ts'
import { manifestFault } from './validate.ts'

/**
 * Signs this peer's manifest, unless the others would refuse it: a message that is too long counts against its sender.
 */
export function publish(draft: Draft, manifest: Manifest): void {
  const { bytes } = signMessage(draft.context, draft.signer, 'manifest', 0, manifest)
  const reason =
    bytes.length > MESSAGE_BYTES_MAX
      ? `the manifest has ${bytes.length} bytes, but a message at most ${MESSAGE_BYTES_MAX}: adapt fewer modules or use a lower rank`
      : manifestFault(draft.context, draft.self, manifest)
  if (reason === undefined) say(draft, 'manifest', 0, manifest)
  else draft.effects.push({ type: 'unpublished', reason })
}
