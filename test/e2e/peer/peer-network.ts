import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type PreparedPeer,
  type PreparedTestnet,
  prepareTestnet,
  SHORT_TRAINING,
  TESTNET_DEFAULTS
} from '../../../scripts/testnet/index.ts'
import { type PeerProcess, startPeerProcess } from '../../../scripts/testnet/peer-process.ts'
import { keepDocuments } from '../../../scripts/testnet/prepare-homes.ts'
import type { CharterTerms } from '../../../src/node/consortium/create-charter.ts'
import type {
  HeldOutReport,
  PeerReport,
  ProgressReport,
  SealedReport
} from '../../../src/node/home/peer-report.ts'
import { makeTinyBase } from '../../support/tiny-base.ts'

/**
 * What is adapted: each module is a shard, whose blocks are files and requests. `loam testnet` is tried with all of them.
 */
const FEW_MODULES = ['q_proj', 'down_proj']

/** Documents of each peer: enough for a few short steps. */
const DOCUMENTS = 12

/** Held-out tokens of each peer: evaluation is a fifth of a short round's processor time with the default of 1,024. */
const HELD_OUT_TOKENS = 128

async function measureLittle(config: string): Promise<void> {
  const settings = JSON.parse(await readFile(config, 'utf8')) as object
  await writeFile(config, JSON.stringify({ ...settings, validation: { heldOutTokens: HELD_OUT_TOKENS } }))
}

/** What a peer has reported in all its runs. */
export interface PeerWatch {
  progress: ProgressReport | undefined
  readonly sealed: SealedReport[]
  readonly heldOut: HeldOutReport[]
  /** Of its present run; empty until it listens. */
  addresses: readonly string[]
  /** Rounds in which its present run has trained a step. */
  readonly trained: Set<number>
}

/** Real `loam peer` processes whose single members a test may start, stop and kill. */
export class PeerNetwork {
  readonly prepared: PreparedTestnet & { readonly peers: PreparedPeer[] }
  readonly watches: PeerWatch[]
  readonly folder: string
  readonly #processes = new Map<number, PeerProcess>()
  readonly #waiting = new Set<() => void>()
  #failure: Error | undefined

  private constructor(folder: string, prepared: PreparedTestnet) {
    this.folder = folder
    this.prepared = { ...prepared, peers: [...prepared.peers] }
    this.watches = prepared.peers.map(newWatch)
  }

  /**
   * Prepares homes and charter with few, short steps; starts nothing.
   *
   * @param model folder of the base model; a tiny one is made where none is given
   * @param isShort whether few documents, steps and modules are trained; else as `loam testnet` trains
   */
  static async prepare(
    peers: number,
    { dtype, ...terms }: Pick<CharterTerms, 'timeouts' | 'retain' | 'heldOutMargin' | 'clip' | 'dtype'> = {},
    model?: string,
    isShort = true
  ): Promise<PeerNetwork> {
    const folder = await mkdtemp(join(tmpdir(), 'loam-peers-'))
    const options = {
      ...TESTNET_DEFAULTS,
      peers,
      rounds: 1000,
      ...(isShort ? SHORT_TRAINING : {}),
      ...(dtype === undefined ? {} : { dtype }),
      model: model ?? makeTinyBase(join(folder, 'base')),
      folder
    }
    const timeouts = { gatherMs: 1_500, graceMs: 500, proposeMs: 2_000, voteMs: 1_500, growthMs: 500 }
    const prepared = await prepareTestnet(options, () => {}, {
      ...(isShort ? { targetModules: FEW_MODULES } : {}),
      ...terms,
      timeouts: { ...timeouts, ...terms.timeouts }
    })
    if (isShort) {
      await keepDocuments(prepared.peers, DOCUMENTS)
      await Promise.all(prepared.peers.map(({ home }) => measureLittle(home.config)))
    }
    return new PeerNetwork(folder, prepared)
  }

  /** Adds a peer whose home a test has made. @returns its index */
  add(peer: Omit<PreparedPeer, 'index'>): number {
    const index = this.prepared.peers.length
    this.prepared.peers.push({ ...peer, index })
    this.watches.push(newWatch())
    return index
  }

  /** Starts peers; the first gets no address, the others get its address or, if some run already, theirs. */
  async start(...indices: number[]): Promise<void> {
    const [first, ...others] = indices
    const running = () => [...this.#processes.keys()].flatMap((index) => this.watches[index]!.addresses)
    await this.#startOne(first!, running())
    await Promise.all(others.map((index) => this.#startOne(index, running())))
  }

  /** Restarts a peer that has to find the others from the data in its home. */
  startAlone(index: number): Promise<void> {
    return this.#startOne(index, [])
  }

  async #startOne(index: number, bootstrap: readonly string[]): Promise<void> {
    const watch = this.watches[index]!
    Object.assign(watch, { addresses: [], progress: undefined })
    watch.trained.clear()
    const started = startPeerProcess(this.prepared.peers[index]!, bootstrap, (report) =>
      this.#take(watch, report)
    )
    this.#processes.set(index, started)
    void started.exited.then((status) => {
      if (this.#processes.get(index) === started)
        this.#fail(new Error(`peer ${index} ended (${status}): ${started.standardError()}`))
    })
    await this.until(() => watch.addresses.length > 0)
  }

  /** Asks a peer to stop. @returns its exit code, or the signal that had to be used */
  async stop(index: number): Promise<number | string> {
    const running = this.#remove(index)
    await running.stop()
    return running.exited
  }

  /** Kills peers without warning, all at the same moment. */
  async kill(...indices: number[]): Promise<void> {
    await Promise.all(indices.map((index) => this.#remove(index).kill()))
  }

  /** The process id of a peer that runs. */
  pid(index: number): number {
    return this.#processes.get(index)!.pid
  }

  /** Resolves when a condition holds; checked on every report. @throws when a peer ends by itself or halts */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.#failure === undefined && !holds()) return
        this.#waiting.delete(check)
        if (this.#failure === undefined) resolve()
        else reject(this.#failure)
      }
      this.#waiting.add(check)
      check()
    })
  }

  /** Resolves when these peers have sealed `round`. */
  untilSealed(round: number, ...indices: number[]): Promise<void> {
    return this.until(() =>
      indices.every((index) => this.watches[index]!.sealed.some((sealed) => sealed.round >= round))
    )
  }

  /** The latest round that a peer has sealed. */
  lastSealed(index: number): number {
    return this.watches[index]!.sealed.at(-1)?.round ?? 0
  }

  /** Everything that a peer has logged. */
  log(index: number): Promise<string> {
    return readFile(this.prepared.peers[index]!.home.log, 'utf8')
  }

  /** Stops every peer. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#processes.keys()].map((index) => this.stop(index)))
  }

  /** Stops every peer and removes the homes. */
  async end(): Promise<void> {
    await this.stopAll()
    await rm(this.folder, { recursive: true, force: true })
  }

  #remove(index: number): PeerProcess {
    const running = this.#processes.get(index)
    if (running === undefined) throw new Error(`peer ${index} does not run`)
    this.#processes.delete(index)
    return running
  }

  #take(watch: PeerWatch, report: PeerReport): void {
    if (report.type === 'progress') {
      watch.progress = report
      if (report.step > 0) watch.trained.add(report.round)
    }
    if (report.type === 'sealed' && !watch.sealed.some(({ round }) => round === report.round))
      watch.sealed.push(report)
    if (report.type === 'heldOut') watch.heldOut.push(report)
    if (report.type === 'listening') watch.addresses = report.addresses
    if (report.type === 'halted') this.#fail(new Error(`a peer halted: ${report.reason}`))
    for (const check of [...this.#waiting]) check()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const check of [...this.#waiting]) check()
  }
}

function newWatch(): PeerWatch {
  return { progress: undefined, sealed: [], heldOut: [], addresses: [], trained: new Set<number>() }
}

/** Whether peers agree on every round that they have both sealed. */
export function agree(watches: readonly PeerWatch[]): boolean {
  const digests = new Map<number, string>()
  return watches.every(({ sealed }) =>
    sealed.every(({ round, modelDigest }) => {
      const known = digests.get(round) ?? modelDigest
      digests.set(round, known)
      return known === modelDigest
    })
  )
}
