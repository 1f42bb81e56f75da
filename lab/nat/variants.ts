import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SHORT_TRAINING, TESTNET_DEFAULTS } from '../../scripts/testnet/options.ts'
import { type PeerProcess, startPeerProcess } from '../../scripts/testnet/peer-process.ts'
import { type PreparedPeer, prepareTestnet } from '../../scripts/testnet/prepare-homes.ts'
import type { PeerReport, SealedReport } from '../../src/node/home/peer-report.ts'
import { packageRoot } from '../../src/package-root.ts'
import type { LabHost } from '../network-lab/namespaces.ts'
import { askDoctor, type DoctorAnswer } from './ask-doctor.ts'
import { buildNatLab, type NatLab } from './lab.ts'
import { type RelayProcess, startRelayProcess } from './relay-process.ts'

/** The public host of a run: a relay that is not a member, or a member. */
export type NatVariant = 'relay' | 'member'

/** Result of a run. */
export interface NatResult {
  readonly variant: NatVariant
  /** Whether both hidden members were in the cut of `rounds` rounds that all sealed with equal digests. */
  readonly ok: boolean
  /** Rounds whose cut had both hidden members, with equal digests everywhere. */
  readonly rounds: number
  /** Whether the routers let any connection in, which would invalidate the test. */
  readonly routersLetIn: boolean
  readonly seconds: number
  readonly digests: readonly { readonly round: number; readonly cut: number; readonly model: string }[]
  /** Output of `loam doctor` for the first hidden member, run on its own machine after the rounds. */
  readonly doctor: DoctorAnswer
  /** Maximum number of connections that the relay carried at once. */
  readonly carried?: number
  readonly failure?: string
}

/** Options of a run. */
export interface NatOptions {
  /** Rounds that must have both hidden members in their cut. */
  readonly rounds: number
  readonly timeoutMs: number
  readonly onProgress: (line: string) => void
}

const PORT = 4001
/** Number of documents of each peer: enough for a few short steps. */
const DOCUMENTS = 12
const TIMEOUTS = { gatherMs: 20_000, graceMs: 10_000, proposeMs: 3_000, voteMs: 2_000, growthMs: 1_000 }

/**
 * Runs real peers behind two separate routers that drop incoming connections, until enough rounds are sealed.
 *
 * @throws {Error} if the lab or a peer cannot be started
 */
export async function runVariant(variant: NatVariant, options: NatOptions): Promise<NatResult> {
  const begun = performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'loam-nat-'))
  const processes: { stop(): Promise<void> }[] = []
  let lab: NatLab | undefined
  try {
    lab = await buildNatLab({ open: 1, hidden: 2 })
    options.onProgress(`${variant}: two routers that block incoming connections, one public host`)
    const peers = await prepareHomes(folder, variant === 'relay' ? 2 : 3)
    const sealed = new Map<string, SealedReport[]>(peers.map(({ peerId }) => [peerId, []]))
    const watch = new Watch(sealed, options)
    const start = async (peer: PreparedPeer, host: LabHost, flags: readonly string[]) => {
      const listening = watch.listening(peer.peerId)
      const running = startPeerProcess(peer, [], (report) => watch.take(peer.peerId, report), {
        prefix: host.prefix,
        flags: ['--listen', `/ip4/0.0.0.0/tcp/${PORT}`, '--no-mdns', ...flags]
      })
      processes.push(running)
      watch.mustRun(peer, running)
      await listening
    }
    const [first, second, third] = peers
    const publicHost = lab.open[0]!
    let relay: RelayProcess | undefined
    let way: string[]
    if (variant === 'relay') {
      relay = await startRelayProcess(publicHost, join(folder, 'relay'), join(folder, 'charter.cbor'), PORT)
      processes.push(relay)
      way = ['--relay', `/ip4/${publicHost.address}/tcp/${PORT}/p2p/${relay.peerId}`]
    } else {
      await start(third!, publicHost, [])
      way = ['--bootstrap', `/ip4/${publicHost.address}/tcp/${PORT}/p2p/${third!.peerId}`]
    }
    await Promise.all([start(first!, lab.hidden[0]!, way), start(second!, lab.hidden[1]!, way)])
    const letIn = await Promise.all([0, 1].map((index) => lab!.reaches(publicHost, index, PORT)))
    const hidden = [first!.peerId, second!.peerId]
    const failure = await watch.untilShared(hidden)
    const doctor = await askDoctor(lab.hidden[0]!, first!.home.folder)
    const shared = sharedRounds(sealed, hidden)
    const routersLetIn = letIn.includes(true)
    return {
      variant,
      ok: failure === undefined && !routersLetIn && shared.length >= options.rounds,
      rounds: shared.length,
      routersLetIn,
      seconds: Math.round((performance.now() - begun) / 100) / 10,
      digests: shared.map(({ round, cut, modelDigest }) => ({
        round,
        cut: cut.length,
        model: modelDigest.slice(0, 16)
      })),
      doctor,
      ...(relay === undefined ? {} : { carried: relay.carried() }),
      ...(failure === undefined ? {} : { failure })
    }
  } finally {
    await Promise.allSettled(processes.map((each) => each.stop()))
    await lab?.end()
    await rm(folder, { recursive: true, force: true })
  }
}

async function prepareHomes(folder: string, peers: number): Promise<readonly PreparedPeer[]> {
  const options = {
    ...TESTNET_DEFAULTS,
    peers,
    rounds: 1000,
    ...SHORT_TRAINING,
    model: join(packageRoot(), 'models', 'loam-base-1m'),
    folder
  }
  const prepared = await prepareTestnet(options, () => undefined, { timeouts: TIMEOUTS })
  for (const { home } of prepared.peers) {
    const lines = (await readFile(home.documents, 'utf8')).split('\n')
    await writeFile(home.documents, lines.slice(0, DOCUMENTS).join('\n'))
  }
  return prepared.peers
}

/** Rounds that all peers sealed identically, with all of `members` in the cut. */
export function sharedRounds(
  sealed: ReadonlyMap<string, readonly SealedReport[]>,
  members: readonly string[]
): SealedReport[] {
  const [first, ...others] = [...sealed.values()]
  return (first ?? []).filter(
    ({ round, cut, modelDigest, stackDigest }) =>
      members.every((member) => cut.some(({ peerId }) => peerId === member)) &&
      others.every((reports) =>
        reports.some(
          (other) =>
            other.round === round && other.modelDigest === modelDigest && other.stackDigest === stackDigest
        )
      )
  )
}

/** Collects the reports of the peers. */
class Watch {
  readonly #sealed: ReadonlyMap<string, SealedReport[]>
  readonly #options: NatOptions
  readonly #listening = new Map<string, () => void>()
  #changed: () => void = () => undefined
  #failure: string | undefined

  constructor(sealed: ReadonlyMap<string, SealedReport[]>, options: NatOptions) {
    this.#sealed = sealed
    this.#options = options
  }

  take(peerId: string, report: PeerReport): void {
    if (report.type === 'listening') this.#listening.get(peerId)?.()
    if (report.type === 'halted') this.#failure ??= `${peerId} halted: ${report.reason}`
    if (report.type === 'sealed') {
      this.#sealed.get(peerId)!.push(report)
      this.#options.onProgress(
        `${peerId.slice(-6)} round ${report.round}: ${report.cut.length} in the cut, model ${report.modelDigest.slice(0, 16)}`
      )
    }
    this.#changed()
  }

  listening(peerId: string): Promise<void> {
    return new Promise((resolve) => this.#listening.set(peerId, resolve))
  }

  mustRun(peer: PreparedPeer, running: PeerProcess): void {
    void running.exited.then((status) => {
      this.#failure ??= `peer ${peer.index} ended (${status}): ${running.standardError()}`
      this.#listening.get(peer.peerId)?.()
      this.#changed()
    })
  }

  /** Resolves once enough rounds include all of `members`, or with a reason why that will not happen. */
  untilShared(members: readonly string[]): Promise<string | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => finish(`not enough rounds within ${this.#options.timeoutMs / 1000} s`),
        this.#options.timeoutMs
      )
      const finish = (failure: string | undefined) => {
        clearTimeout(timer)
        this.#changed = () => undefined
        resolve(failure)
      }
      this.#changed = () => {
        if (this.#failure !== undefined) finish(this.#failure)
        else if (sharedRounds(this.#sealed, members).length >= this.#options.rounds) finish(undefined)
      }
      this.#changed()
    })
  }
}
