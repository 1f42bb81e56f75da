import assert from 'node:assert/strict'
import type { DriverComponents } from '../../../../src/node/driver/components.ts'
import { Heads } from '../../../../src/node/driver/heads.ts'
import {
  buildCut,
  fetchManifest,
  ImpossibleManifestError,
  memberWeights,
  wantedBlocks
} from '../../../../src/node/driver/shard-work.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import { type BlockExchange, NetworkError } from '../../../../src/node/network/index.ts'
import {
  type Charter,
  type Environment,
  genesisContext,
  type Manifest,
  type PeerState,
  start,
  step,
  verifyEd25519
} from '../../../../src/protocol/index.ts'
import { type Message, signMessage } from '../../../../src/protocol/messages/message.ts'
import { type OneMember, oneMember, sealRound, smallManifest, smallPair } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

const never = new AbortController().signal

describe('the work on shards', () => {
  let home: Home
  let remove: () => Promise<void>
  let state: PeerState
  let member: OneMember
  let environment: Environment
  let message: Message<'manifest'>

  beforeEach(async () => {
    ;({ home, remove } = await temporaryHome())
    member = await oneMember(home)
    const context = genesisContext(member.charter)
    environment = { signer: member.identity.signer, verify: verifyEd25519 }
    ;({ state } = start(context, environment))
    const manifest = smallManifest(member, context, smallPair(member.charter))
    message = signMessage(context, member.identity.signer, 'manifest', 0, manifest)
  })
  afterEach(() => remove())

  it('count what the charter says, and 1 where it names nobody', () => {
    const context = genesisContext(member.charter)
    const [own] = context.members
    const joined = { ...own!, peer: Uint8Array.from([...own!.peer.subarray(0, -1), 7]) }
    const members = [own!, joined]
    const of = (weights?: Charter['weights']) =>
      memberWeights({ members, charter: { ...context.charter, ...(weights && { weights }) } })
    assert.equal(of(), 'samples')
    assert.equal(of('uniform'), 'uniform')
    assert.deepEqual(
      of([{ peer: own!.peer, weight: 5 }]),
      new Map([
        [Buffer.from(own!.peer).toString('hex'), 5],
        [Buffer.from(joined.peer).toString('hex'), 1]
      ])
    )
  })

  /** Fetches and judges the manifest; the builder finds blocks missing for the first `missing` times. */
  const fetchWith = (fetchAll: BlockExchange['fetchAll'], missing = 0, signal = never) => {
    let jobs = 0
    const components = {
      home,
      exchange: { fetchAll },
      host: { peers: () => [] },
      heads: new Heads(),
      builder: {
        validate: async () =>
          ++jobs <= missing ? { type: 'missing', digests: [] } : { type: 'validated', fault: 'too large' }
      }
    } as unknown as DriverComponents
    return fetchManifest(components, () => state, message, signal)
  }

  it('wants every block once, with its exact length', () => {
    const [shard] = message.body.shards
    const { inFeatures, outFeatures } = shard!
    const twice: Manifest = { ...message.body, shards: [shard!, { ...shard!, module: 'another' }] }
    assert.deepEqual(wantedBlocks(twice), [
      { digest: Buffer.from(shard!.blocks[0]!).toString('hex'), bytes: 4 * (inFeatures + outFeatures) }
    ])
  })

  it('fetches again what was found damaged, and tells the fault', async () => {
    let fetches = 0
    const fetchBlocks = async () => void fetches++
    assert.deepEqual(await fetchWith(fetchBlocks, 2), {
      type: 'blocksHeld',
      manifest: message.id,
      fault: 'too large'
    })
    assert.equal(fetches, 3)
  })

  it('tells a manifest that nobody can satisfy from a disk that refuses', async () => {
    const wrongLength = () => Promise.reject(new NetworkError('protocol', 'a block has other bytes'))
    await assert.rejects(fetchWith(wrongLength), ImpossibleManifestError)
    const full = () => Promise.reject(new Error('the disk is full'))
    await assert.rejects(fetchWith(full), { name: 'Error', message: 'the disk is full' })
  })

  it('follows a sealed round without its shards where f + 1 members are far ahead, and only then', async () => {
    const digests = { stack: Buffer.alloc(32, 1), model: Buffer.alloc(32, 2) }
    const { context } = state
    const sealedRound = sealRound(member, context, digests)
    const adopted = step(state, { type: 'sealedRound', sealedRound }, environment).state
    const heads = new Heads()
    const components = { home, heads, rounds: {}, host: { peers: () => [] } } as unknown as DriverComponents
    const { cut, manifests, seal } = sealedRound
    const build = { type: 'build', context, cut, cutId: seal.cut, manifests } as const
    const { peer } = context.members[0]!
    heads.note(peer, context.round + 15)
    await assert.rejects(buildCut(components, () => adopted, build, never))
    heads.note(peer, context.round + 16)
    const built = { type: 'built', cut: seal.cut, ...digests }
    assert.deepEqual(await buildCut(components, () => adopted, build, never), built)
    const held = { type: 'blocksHeld', manifest: manifests[0]!.id, fault: undefined }
    assert.deepEqual(await fetchManifest(components, () => adopted, manifests[0]!, never), held)
    await assert.rejects(buildCut(components, () => state, build, never))
  })

  it('ends with its round, and hears of it only once', async () => {
    const round = new AbortController()
    let fetching: AbortSignal | undefined
    const hanging: BlockExchange['fetchAll'] = (_wanted, _holders, { signal }) =>
      new Promise((_resolve, reject) => {
        fetching = signal
        signal.addEventListener('abort', () => reject(new Error('given up')), { once: true })
        round.abort()
      })
    await assert.rejects(fetchWith(hanging, 0, round.signal))
    assert.equal(fetching!.aborted, true)
    await assert.rejects(fetchWith(() => assert.fail('fetched'), 0, round.signal))
  })
})
