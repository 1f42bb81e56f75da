import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeAdapterFile, type LoraAdapter } from '../../src/adapter/index.ts'
import { alphaOf, loadPeerConfig } from '../../src/node/config/index.ts'
import { readCharter } from '../../src/node/home/charter-file.ts'
import { createHomeFolders, homeAt, roundFiles } from '../../src/node/home/home.ts'
import { loadIdentity } from '../../src/node/home/identity.ts'
import { createTrainer } from '../../src/node/workers/trainer/trainer.ts'
import { documentSeed, genesisContext, trainingSeed } from '../../src/protocol/index.ts'
import type { TestnetOptions } from './options.ts'
import type { PreparedPeer, PreparedTestnet } from './prepare-homes.ts'

/**
 * What each peer would have achieved alone: an adapter trained from the base on its own text, with the same seeds and
 * as many steps as all rounds together.
 *
 * @param atOnce how many trainings run in parallel
 * @returns adapters by PeerId
 */
export async function trainStandalone(
  testnet: PreparedTestnet,
  options: TestnetOptions,
  atOnce: number,
  onProgress: (peer: PreparedPeer, step: number, steps: number) => void,
  signal: AbortSignal
): Promise<Map<string, LoraAdapter>> {
  const adapters = new Map<string, LoraAdapter>()
  const waiting = [...testnet.peers]
  const work = async () => {
    const trainer = createTrainer()
    try {
      for (let peer = waiting.shift(); peer !== undefined; peer = waiting.shift()) {
        const trained = peer
        const job = await standaloneJob(testnet, options, trained)
        await trainer.train(job, ({ step, steps }) => onProgress(trained, step, steps), signal)
        adapters.set(trained.peerId, decodeAdapterFile(await readFile(job.localPath)).adapter)
      }
    } finally {
      await trainer.stop()
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return adapters
}

async function standaloneJob(
  { charter }: PreparedTestnet,
  options: TestnetOptions,
  { home, rank, index }: PreparedPeer
) {
  const context = genesisContext(await readCharter(charter))
  const identity = await loadIdentity(home.identity)
  const { peer } = identity!.signer
  const config = await loadPeerConfig(home)
  const folder = join(options.folder, 'standalone', `peer-${index}`)
  await createHomeFolders(homeAt(folder))
  return {
    round: 1,
    baseFolder: options.model,
    modelFile: undefined,
    // As a member would train alone: nothing is sent, so nothing is rounded.
    dtype: 'f32' as const,
    residualFile: undefined,
    residualPath: roundFiles(homeAt(folder), 1).residual,
    documents: home.documents,
    keptBack: undefined,
    data: config.data,
    modules: context.charter.base.modules.map(({ module }) => module),
    rank,
    alpha: alphaOf(config.adapter),
    rankStabilised: context.charter.rankStabilised,
    training: { ...config.training, steps: options.rounds * options.steps },
    seed: trainingSeed(context, peer),
    documentSeed: documentSeed(context, peer),
    firstStep: 0,
    home: folder,
    localPath: join(folder, 'local.safetensors')
  }
}
