import { existsSync } from 'node:fs'
import type { TensorMap } from '../../formats/index.ts'
import type { TokenModel } from '../../prada/index.ts'
import { requireCharterBase } from '../consortium/charter-base.ts'
import { sealedModules, withModules } from '../export/sealed-model.ts'
import { readCharter } from '../home/charter-file.ts'
import { type Home, roundFiles } from '../home/home.ts'
import { readSealedRounds } from '../home/round-store.ts'
import { PeerError } from '../storage/peer-error.ts'
import { loadModelFiles, type ModelFiles, type ModelFilesOptions } from './model-files.ts'

/** The two models of a proxy. The adapted one may be replaced, the base stays. */
export interface ProxyModels {
  readonly base: TokenModel
  readonly adapted: TokenModel
  /** Of the adapted model's weights, 64 hex digits. */
  readonly digest: string
  /** Last round whose stack the adapted model has; 0 where it has none, or is of no consortium. */
  readonly round: number
}

/** A proxy whose adapter is what a consortium seals. */
export interface SealedProxy {
  readonly files: ModelFiles
  /** Name of the consortium. */
  readonly consortium: string
  /** The models after the last seal that was looked at. */
  readonly models: ProxyModels
  /**
   * Looks whether a round was sealed since.
   *
   * @returns the models after it, with an adapted model of its own that the caller disposes of; undefined where there is
   * nothing new
   * @throws {PeerError} when a round does not hold, or its model is not there (yet)
   */
  lookForSeal(): Promise<ProxyModels | undefined>
}

/** A proxy of given weights. */
export function createProxy(files: ModelFiles, weights: TensorMap): ProxyModels {
  const { model, digest } = files.open(weights)
  return { base: files.open(files.weights).model, adapted: model, digest, round: 0 }
}

/**
 * A proxy of a home: the consortium's base model, and the model of its last sealed round. Before the first seal both are
 * the base. Reads only; a peer may run in the home.
 *
 * @throws {PeerError} when the home has no charter, a round does not hold, or the folder is not the consortium's base
 */
export async function openSealedProxy(home: Home, options: ModelFilesOptions): Promise<SealedProxy> {
  if (!existsSync(home.charter))
    throw new PeerError(`${home.folder} is not the home of a peer: it has no charter.cbor`)
  const charter = await readCharter(home.charter)
  await requireCharterBase(options.folder, charter.charter)
  const files = loadModelFiles(options)
  /** Sealed rounds that were looked at, void ones too. */
  let seen = 0

  const sealedWeights = async (): Promise<{ weights: TensorMap; round: number } | undefined> => {
    const sealed = await readSealedRounds(home, charter)
    const news = sealed.slice(seen)
    const last = news.findLast(({ sealedRound }) => sealedRound.seal.stack !== null)
    const weights = last && withModules(files.weights, await sealedModules(home, last))
    seen = sealed.length
    return last && { weights: weights!, round: last.context.round }
  }

  const first = await sealedWeights()
  let models: ProxyModels = {
    ...createProxy(files, first?.weights ?? files.weights),
    round: first?.round ?? 0
  }
  return {
    files,
    consortium: charter.charter.name,
    get models() {
      return models
    },
    async lookForSeal() {
      if (!existsSync(roundFiles(home, seen + 1).sealed)) return undefined
      const found = await sealedWeights()
      if (found === undefined) return undefined
      const { model, digest } = files.open(found.weights)
      models = { base: models.base, adapted: model, digest, round: found.round }
      return models
    }
  }
}
