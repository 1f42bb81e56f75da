import assert from 'node:assert/strict'
import type { DriverComponents } from '../../../../src/node/driver/components.ts'
import { Heads } from '../../../../src/node/driver/heads.ts'
import {
  fetchManifest,
  ImpossibleManifestError,
  wantedBlocks
} from '../../../../src/node/driver/shard-work.ts'
import type { Home } from '../../../../src/node/home/home.ts'
import { type BlockExchange, NetworkError } from '../../../../src/node/network/index.ts'
import {
  type Environment,
  genesisContext,
  type Manifest,
  type PeerState,
  start,
  verifyEd25519
} from '../../../../src/protocol/index.ts'
import { type Message, signMessage } from '../../../../src/protocol/messages/message.ts'
import { type OneMember, oneMember, smallManifest, smallPair } from '../one-member.ts'
import { temporaryHome } from '../temporary-home.ts'

const never = new AbortController().signal

describe('validation and building of shards', () => {
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

  /** Fetches and validates the manifest; the builder reports missing blocks the first `missing` times. */
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

  it('requests every block once, with its exact length', () => {
    const [shard] = message.body.shards
    const { inFeatures, outFeatures } = shard!
    const twice: Manifest = { ...message.body, shards: [shard!, { ...shard!, module: 'another' }] }
    assert.deepEqual(wantedBlocks(twice), [
      { digest: Buffer.from(shard!.blocks[0]!).toString('hex'), bytes: 4 * (inFeatures + outFeatures) }
    ])
  })

  it('refetches a damaged block, and reports the fault', async () => {
    let fetches = 0
    const fetchBlocks = async () => void fetches++
    assert.deepEqual(await fetchWith(fetchBlocks, 2), {
      type: 'blocksHeld',
      manifest: message.id,
      fault: 'too large'
    })
    assert.equal(fetches, 3)
  })

  it('distinguishes an impossible manifest from a full disk', async () => {
    const wrongLength = () => Promise.reject(new NetworkError('protocol', 'a block has other bytes'))
    await assert.rejects(fetchWith(wrongLength), ImpossibleManifestError)
    const full = () => Promise.reject(new Error('the disk is full'))
    await assert.rejects(fetchWith(full), { name: 'Error', message: 'the disk is full' })
  })

  it('is aborted with its round, which it subscribes to only once', async () => {
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
