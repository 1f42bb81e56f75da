import { copiedHome } from './faults/copied.ts'
import { damagedFiles } from './faults/damaged.ts'
import { deletedFiles } from './faults/deleted.ts'
import { fullDisk } from './faults/full-disk.ts'
import { restartedPeers } from './faults/restarted.ts'
import { SmallDisk } from './faults/small-disk.ts'
import { stoppedPeer } from './faults/stopped.ts'
import { PeerNetwork } from './peer-network.ts'

const EVERYBODY = [0, 1, 2, 3]
/** The member whose home is on a separate disk, if one can be mounted. */
const ON_SMALL_DISK = 3

/** One network for every fault: each leaves it as it was, with four members that agree and continue. */
describe('a network of four with failing members', function () {
  this.timeout(240_000)
  let network: PeerNetwork
  let disk: SmallDisk | undefined

  before(async () => {
    // With int8 shards, so that a network has agreed on those, too.
    network = await PeerNetwork.prepare(4, { dtype: 'int8' })
    disk = await SmallDisk.mount(network.prepared.peers[ON_SMALL_DISK]!.home.folder)
    await network.start(...EVERYBODY)
    await network.untilSealed(1, ...EVERYBODY)
  })
  after(async () => {
    await network?.stopAll()
    disk?.unmount()
    await network?.end()
  })

  copiedHome(() => network)
  damagedFiles(() => network)
  deletedFiles(() => network)
  stoppedPeer(() => network)
  restartedPeers(() => network)
  fullDisk(
    () => network,
    ON_SMALL_DISK,
    () => disk
  )
})
