import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DOMAIN_NAMES, loadDomain, splitDocuments } from '../../src/data/index.ts'
import { loadBaseModel } from '../../src/model/index.ts'
import { type CharterTerms, createCharter } from '../../src/node/consortium/create-charter.ts'
import { createHomeFolders, type Home, homeAt } from '../../src/node/home/home.ts'
import { loadOrCreateIdentity, memberCard } from '../../src/node/home/identity.ts'
import { type Charter, encodeCharter } from '../../src/protocol/index.ts'
import type { TestnetOptions } from './options.ts'

/**
 * Modules that a testnet adapts: all linear ones. In a model this small, q and v alone have too little capacity for
 * several domains.
 */
const TARGET_MODULES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
/*
 * Peers on one machine share its cores and its disk, and each fetches from all others, so the total work grows with the
 * square of their number.
 */
const GATHER_MS_A_PAIR = 2_000
/**
 * Trainers that share a busy machine finish at very different times. Gathering ends before the deadline when nobody is
 * missing.
 */
const GATHER_MS_MIN = 30_000
const GRACE_MS_A_PAIR = 250

/** Deadlines for a testnet of this many peers. */
function timeoutsFor(peers: number): Charter['timeouts'] {
  return {
    trainMs: 600_000,
    gatherMs: Math.max(GATHER_MS_MIN, GATHER_MS_A_PAIR * peers ** 2),
    graceMs: GRACE_MS_A_PAIR * peers ** 2,
    proposeMs: 3_000,
    voteMs: 2_000,
    growthMs: 1_000
  }
}

/** One peer of a testnet before it starts. */
export interface PreparedPeer {
  readonly index: number
  readonly peerId: string
  readonly rank: number
  readonly domain: string
  readonly home: Home
  /** Training documents. */
  readonly documents: number
}

/** Homes, keys, domains and the charter of a testnet. */
export interface PreparedTestnet {
  readonly peers: readonly PreparedPeer[]
  readonly charter: string
}

/** Creates every peer's home with its own key and domain of text, and the charter that lists them all. */
export async function prepareTestnet(
  options: TestnetOptions,
  onProgress: (line: string) => void,
  terms: Pick<CharterTerms, 'timeouts' | 'retain' | 'heldOutMargin'> & {
    readonly targetModules?: readonly string[]
  } = {}
): Promise<PreparedTestnet> {
  const peers: PreparedPeer[] = []
  const identities = []
  for (let index = 0; index < options.peers; index++) {
    const home = homeAt(join(options.folder, `peer-${index}`))
    await createHomeFolders(home)
    const identity = await loadOrCreateIdentity(home.identity)
    identities.push(identity)
    const domain = DOMAIN_NAMES[index]!
    const documents = await writeDomain(home, domain, options.seed)
    const rank = options.ranks[index % options.ranks.length]!
    peers.push({ index, peerId: identity.peerId, rank, domain, home, documents })
    await writeFile(home.config, `${JSON.stringify(peerSettings(options, home, rank), undefined, 2)}\n`)
    onProgress(`peer ${index}: rank ${rank}, ${documents} documents of ${domain}`)
  }
  const charter = await createCharter({
    name: 'testnet',
    members: identities.map(memberCard),
    base: loadBaseModel(options.model),
    targetModules: TARGET_MODULES,
    ...(options.dtype === undefined ? {} : { dtype: options.dtype }),
    maximumRank: Math.max(64, ...options.ranks),
    ...terms,
    timeouts: { ...timeoutsFor(options.peers), ...terms.timeouts }
  })
  const path = join(options.folder, 'charter.cbor')
  const bytes = encodeCharter(
    charter,
    identities.map(({ signer }) => signer)
  )
  await writeFile(path, bytes)
  for (const { home } of peers) await writeFile(home.charter, bytes)
  return { peers, charter: path }
}

function peerSettings(options: TestnetOptions, home: Home, rank: number): object {
  const { steps, batchSize, sequenceLength, learningRate, threads, executor, device } = options
  return {
    version: 1,
    model: options.model,
    documents: home.documents,
    adapter: { rank },
    training: { steps, batchSize, sequenceLength, learningRate, threads, executor, device },
    network: { listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false },
    rounds: options.rounds
  }
}

/** Splits a domain by document: one file to train on, and one that training never sees. */
async function writeDomain(home: Home, domain: string, seed: number): Promise<number> {
  const { documents } = await loadDomain(domain)
  const { train, heldOut } = splitDocuments(documents, { seed })
  await mkdir(home.folder, { recursive: true })
  await writeFile(home.documents, train.map(({ text }) => `${JSON.stringify({ text })}\n`).join(''))
  await writeFile(home.heldOut, heldOut.map(({ text }) => text).join('\n\n'))
  return train.length
}

/** Limits each peer's training documents, so that reading them does not dominate a short round. */
export async function keepDocuments(peers: readonly PreparedPeer[], count: number): Promise<void> {
  for (const { home } of peers) {
    const lines = (await readFile(home.documents, 'utf8')).split('\n')
    await writeFile(home.documents, lines.slice(0, count).join('\n'))
  }
}

/** Adds groups of settings to each peer's settings. */
export async function addSettings(peers: readonly PreparedPeer[], groups: object): Promise<void> {
  for (const { home } of peers) {
    const settings = JSON.parse(await readFile(home.config, 'utf8')) as object
    await writeFile(home.config, JSON.stringify({ ...settings, ...groups }))
  }
}

/** The held-out text of a peer. */
export function readHeldOut({ home }: PreparedPeer): Promise<string> {
  return readFile(home.heldOut, 'utf8')
}
