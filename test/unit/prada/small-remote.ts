import type { Vocabulary } from '../../../src/prada/core/index.ts'
import type { TokenModel } from '../../../src/prada/models/index.ts'
import { connectLogitsServer, createServiceTransport, type Remote } from '../../../src/prada/remotes/index.ts'
import {
  createLogitsService,
  DEFAULT_LOGITS_LIMITS,
  type LogitsLimits,
  type LogitsService
} from '../../../src/prada/server/index.ts'

export function numberedVocabulary(size: number): Vocabulary {
  const tokens = Array.from({ length: size }, (_, id) => new TextEncoder().encode(`token ${id}`))
  return { type: 'BPE', bosId: 0, eosId: 0, tokens }
}

export function serviceOf(
  model: TokenModel,
  limits: Partial<LogitsLimits> = {},
  now?: () => number
): LogitsService {
  const served = {
    name: 'a small remote',
    model,
    digest: 'ab'.repeat(32),
    vocabulary: numberedVocabulary(model.vocabularySize)
  }
  return createLogitsService(served, { ...DEFAULT_LOGITS_LIMITS, positionsPerMinute: 1e9, ...limits }, now)
}

export function remoteOf(model: TokenModel, limits: Partial<LogitsLimits> = {}): Promise<Remote> {
  return connectLogitsServer(createServiceTransport(serviceOf(model, limits)))
}
