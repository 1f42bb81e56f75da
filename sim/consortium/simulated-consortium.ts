import { createHash } from 'node:crypto'
import { shardByteLength } from '../../src/adapter/shard/shard.ts'
import { type Charter, charterId, type SignedCharter } from '../../src/protocol/charter/charter.ts'
import { createRevealChain, type RevealChain } from '../../src/protocol/charter/reveal-chain.ts'
import { compareBytes, equalBytes } from '../../src/protocol/encoding/bytes.ts'
import { peerOf, type Signer } from '../../src/protocol/encoding/signature.ts'
import type { Manifest } from '../../src/protocol/messages/bodies.ts'
import type { RoundContext } from '../../src/protocol/round/context.ts'
import { idealSigner } from './ideal-signatures.ts'

/** Length of a simulated reveal chain, in rounds, unless a run needs more. */
export const CHAIN_LENGTH = 256
const MODULE = { module: 'model.layers.0.self_attn.q_proj', inFeatures: 8, outFeatures: 8 }

export const digestOf = (text: string): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(text).digest())

const BASE_FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']

/** A peer with a made-up key. */
export interface Person {
  readonly signer: Signer
  readonly peer: Uint8Array
  readonly chain: RevealChain
}

/**
 * A consortium of `count` members with made-up keys: its charter, and the signer and reveal chain of every peer:
 * members in the order of their PeerIds, then peers that are not in the charter.
 */
export function simulatedConsortium(
  count: number,
  changes: Partial<Charter> = {},
  signerOf = (index: number): Signer => idealSigner(peerOf(digestOf(`key ${index}`))),
  joiners = 0,
  chainLength = CHAIN_LENGTH
): { signed: SignedCharter; people: Person[]; chains: RevealChain[]; signers: Signer[] } {
  const all: Person[] = Array.from({ length: count + joiners }, (_, index) => {
    const signer = signerOf(index)
    return { signer, peer: signer.peer, chain: chainOf(index, chainLength) }
  })
  const members = all.slice(0, count).sort((left, right) => compareBytes(left.peer, right.peer))
  const people = [...members, ...all.slice(count)]
  const charter: Charter = {
    version: 1,
    name: 'simulated',
    members: members.map(({ peer, chain }) => ({ peer, anchor: chain.anchor })),
    base: {
      files: BASE_FILES.map((path) => ({ path, bytes: 1, blocks: digestOf(path) })),
      modelDigest: digestOf('model'),
      modules: [MODULE]
    },
    rule: 'flora',
    init: 'fresh',
    dtype: 'f32',
    rankStabilised: false,
    trainers: 0,
    committee: null,
    minShards: 1,
    rank: { min: 1, max: 64 },
    alpha: { min: 1, max: 128 },
    sampleCap: 1_000_000,
    norm: { factor: 10, absolute: 1000 },
    heldOutVeto: false,
    timeouts: { trainMs: 20_000, gatherMs: 5_000, graceMs: 500, proposeMs: 500, voteMs: 300, growthMs: 200 },
    retain: 8,
    ...changes
  }
  return {
    signed: { charter, id: charterId(charter), signatures: [] },
    people,
    chains: people.map(({ chain }) => chain),
    signers: people.map(({ signer }) => signer)
  }
}

const chains = new Map<string, RevealChain>()

/** Chains take long to compute, and consortia may share them. */
function chainOf(index: number, length: number): RevealChain {
  const key = `${index} ${length}`
  const known = chains.get(key)
  if (known !== undefined) return known
  const chain = createRevealChain(digestOf(`secret ${index}`), length)
  chains.set(key, chain)
  return chain
}

/** The manifest that a simulated member makes of its training in this round. */
export function simulatedManifest(
  context: RoundContext,
  author: number,
  chain: RevealChain,
  peer = context.members[author]!.peer
): Manifest {
  const rank = 2 + (author % 62)
  const anchor = context.members.find((member) => equalBytes(member.peer, peer))!.anchor
  return {
    samples: 100 + author,
    dtype: 'f32',
    shards: [{ ...MODULE, rank, alpha: 2 * rank, blocks: [digestOf(`block ${context.round} ${author}`)] }],
    totalBytes: shardByteLength({ ...MODULE, rank, dtype: 'f32' }),
    reveal: chain.before(anchor)!
  }
}
