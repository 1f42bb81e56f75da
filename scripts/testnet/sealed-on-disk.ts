import { setTimeout as sleep } from 'node:timers/promises'
import { readCharter } from '../../src/node/home/charter-file.ts'
import type { SealedReport } from '../../src/node/home/peer-report.ts'
import { runningDaemon } from '../../src/node/home/process-lock.ts'
import { readSealedRounds } from '../../src/node/home/round-store.ts'
import { roundSummary } from '../../src/node/home/round-summary.ts'
import type { PeerView } from './network-run.ts'

const LOOK_AGAIN_MS = 500
/** Values that were not measured, since the peer was not this launcher's child when it sealed the round. */
const UNKNOWN = { ms: { train: 0, gather: 0, decide: 0, stack: 0, seal: 0 }, bytesReceived: 0 }

/**
 * Completes the view of a peer that ended unexpectedly from its home. If somebody restarted it by hand (`loam peer
 * --home …`), waits for it.
 *
 * @throws when it has not sealed all rounds and no daemon runs in its home, or the signal aborts
 */
export async function completeFromDisk(view: PeerView, rounds: number, signal: AbortSignal): Promise<void> {
  const { home, index } = view.peer
  for (;;) {
    const runs = (await runningDaemon(home)) !== undefined
    const sealed = await readReports(view)
    if (sealed.length >= rounds) {
      for (const report of sealed.slice(view.sealed.length)) view.sealed.push(report)
      return
    }
    if (!runs)
      throw new Error(`peer ${index} ended (${view.ended}) and sealed ${sealed.length} of ${rounds} rounds`)
    await sleep(LOOK_AGAIN_MS, undefined, { signal })
  }
}

async function readReports({ peer }: PeerView): Promise<SealedReport[]> {
  const rounds = await readSealedRounds(peer.home, await readCharter(peer.home.charter))
  return rounds.map(({ context, sealedRound }) => ({
    type: 'sealed',
    ...roundSummary(context, sealedRound),
    ...UNKNOWN
  }))
}
