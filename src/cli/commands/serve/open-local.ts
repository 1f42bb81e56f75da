import { createLocalSource, createLogitsService, type Endpoint } from '../../../prada/index.ts'
import { noteUnused, openModelOf } from '../../options/open-prada.ts'
import { describeSource } from './describe-source.ts'
import type { LateLogits } from './late-logits.ts'
import type { Served } from './run-serve.ts'
import type { ServeFlags } from './serve.ts'

/** Loads a model of one's own, makes texts from it, and tells others of its logits. */
export async function openLocal(
  flags: ServeFlags,
  endpoint: Endpoint,
  logits: LateLogits | undefined
): Promise<Served> {
  const { files, weights, name: found } = await openModelOf(flags)
  noteUnused(files.generation)
  const { model, digest } = files.open(weights)
  const name = flags.name ?? found
  logits?.begin(createLogitsService({ name, model, digest, vocabulary: files.vocabulary }, logits.limits))
  endpoint.use(createLocalSource(model, describeSource(files, name, digest)))
  return { name, about: [], stop: async () => undefined }
}
