import { packageVersion } from '../../package-root.ts'
import { startControlApi } from '../control/index.ts'
import { createHandshakes, hostIdentity } from '../membership/quiet-host.ts'
import type { Handshakes } from '../network/index.ts'
import { saveOwnAddresses } from '../network/peers/known-addresses.ts'
import { createMemberLogits } from './logits.ts'
import { verdictReport } from './member.ts'
import { OnlyCopy } from './only-copy.ts'
import type { DriverParts } from './rounds.ts'
import type { Running } from './running.ts'

/** Shakes hands with every peer that connects, and lets the driver sign once that has shown that this peer runs once. */
export async function startHandshakes(
  { options: { logs }, config, member, telling: { report }, started }: Running,
  { components: { host }, driver }: DriverParts
): Promise<Handshakes> {
  const who = hostIdentity(member, config.network, logs.of('network'))
  const onlyCopy = new OnlyCopy(driver, logs.of('peer'), report)
  const handshakes = createHandshakes(host, who, {
    onVerdict: verdictReport(report),
    onIncompatible: (peerId, reason) => report({ type: 'incompatible', peerId, reason }),
    onCopy: (copy) => onlyCopy.copied(copy),
    onAlone: (peerId) => onlyCopy.alone(peerId)
  })
  onlyCopy.start()
  await handshakes.start()
  started.push(async () => {
    onlyCopy.stop()
    await handshakes.stop()
  })
  return handshakes
}

export async function startControl(
  { options: { home, logs }, config, member, telling, started }: Running,
  { components, driver }: DriverParts,
  handshakes: Handshakes
): Promise<void> {
  const { host, heads, trainer, rounds } = components
  await saveOwnAddresses(home, host.multiaddrs())
  const control = await startControlApi({
    home,
    charter: member.charter,
    host,
    handshakes,
    rounds,
    driver,
    heads,
    observer: telling.observer,
    metrics: telling.metrics,
    memberLogits: createMemberLogits(host),
    recent: logs.recent,
    log: logs.of('control'),
    version: packageVersion(),
    config,
    lastRound: config.rounds,
    trainerPid: () => trainer.pid
  })
  started.push(() => control.stop())
}
