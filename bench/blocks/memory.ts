import { startMesh } from './peers/bench-peers.ts'

const MiB = 2 ** 20
const ROUND_MIB = 256
const ROUNDS = 4

/** Part (d): most memory held by a peer that receives 1 GiB in all, MB. */
export async function measureMemory(): Promise<number> {
  const [first, second, asker] = await startMesh(3)
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const publications = await Promise.all(
        [first!, second!].map((provider) => provider.make(ROUND_MIB / 2, MiB))
      )
      await asker!.fetch(publications)
    }
    return (await asker!.report()).peakRssMB
  } finally {
    await Promise.all([first, second, asker].map((peer) => peer!.stop()))
  }
}
