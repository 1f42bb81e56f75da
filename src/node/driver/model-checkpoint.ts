import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ListedFile } from '../../formats/index.ts'
import { hex, modelFileBytes, type RoundContext } from '../../protocol/index.ts'
import { PeerError } from '../storage/peer-error.ts'
import type { DriverComponents } from './components.ts'

/** Time without a provider of the model after which the fetch fails, milliseconds. */
const STALL_MS = 30_000

/** What is needed to fetch a checkpoint. */
export type CheckpointClient = Pick<DriverComponents, 'log'> & {
  readonly exchange: Pick<DriverComponents['exchange'], 'fetchFiles' | 'serveFile' | 'providersOf'>
  readonly rounds: Pick<DriverComponents['rounds'], 'modelFile'>
}

/**
 * Rule 16 *Catch-up*: fetches the model that a round starts from, when this peer skipped building it, from all members
 * that have it. The sealed model digest is the digest of the file's block list, so every block is checked on arrival;
 * blocks fetched before a failure are kept.
 *
 * @param stallMs other than usual in tests
 * @throws {PeerError} when no connected member has all of it for {@link STALL_MS}
 */
export async function requireModelFile(
  { exchange, rounds, log }: CheckpointClient,
  { modelDigest, charter: { base } }: Pick<RoundContext, 'modelDigest' | 'charter'>,
  signal: AbortSignal,
  stallMs = STALL_MS
): Promise<void> {
  const { modelFile } = rounds
  if (modelFile === undefined) return
  // Training and building may both need it: one fetches, and the other takes over if that one is stopped.
  for (let other = underWay.get(modelFile); other !== undefined; other = underWay.get(modelFile)) {
    await settled(other, signal)
    signal.throwIfAborted()
  }
  if (existsSync(modelFile)) return
  const fetching = fetchModel({ exchange, log }, modelFile, modelDigest, base.modules, signal, stallMs)
  const ended = fetching.catch(() => undefined).finally(() => underWay.delete(modelFile))
  underWay.set(modelFile, ended)
  await fetching
}

/** Running fetches of this process, by the file that they fetch; these promises never reject. */
const underWay = new Map<string, Promise<void>>()

/** Resolves when a promise that never rejects has resolved, or the signal is aborted. */
function settled(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
    void promise.then(done)
  })
}

async function fetchModel(
  { exchange, log }: Pick<CheckpointClient, 'exchange' | 'log'>,
  modelFile: string,
  modelDigest: Uint8Array,
  modules: RoundContext['charter']['base']['modules'],
  signal: AbortSignal,
  stallMs: number
): Promise<void> {
  const digest = hex(modelDigest)
  log.info({ model: digest }, 'fetching the merged modules as a checkpoint')
  await mkdir(dirname(modelFile), { recursive: true })
  const bytes = modelFileBytes(modules)
  const isServed = () => exchange.providersOf(digest).length > 0
  const [file] = await whileServed(isServed, stallMs, signal, (together) =>
    exchange.fetchFiles([{ path: modelFile, bytes, digest }], { signal: together })
  ).catch((error: unknown) => {
    if (signal.aborted || !(error instanceof NobodyError)) throw error
    throw new PeerError(
      `${modelFile}, the merged modules that the next round starts from, is missing, and no connected member has it (digest ${digest}): restore the file from a copy, or wait for a member that has it`
    )
  })
  exchange.serveFile(file!)
  log.info({ bytes }, 'the checkpoint has the sealed digest')
}

class NobodyError extends Error {
  override name = 'NobodyError'
}

/** Aborts a fetch when a periodic check finds no provider. */
async function whileServed(
  isServed: () => boolean,
  spanMs: number,
  signal: AbortSignal,
  fetch: (signal: AbortSignal) => Promise<ListedFile[]>
): Promise<ListedFile[]> {
  const given = new AbortController()
  const look = setInterval(() => {
    if (!isServed()) given.abort(new NobodyError())
  }, spanMs)
  try {
    return await fetch(AbortSignal.any([signal, given.signal]))
  } catch (error) {
    throw given.signal.aborted ? given.signal.reason : error
  } finally {
    clearInterval(look)
  }
}
