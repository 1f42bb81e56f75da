import { packageVersion } from '../../package-root.ts'
import { startControlApi } from '../control/index.ts'
import { createGreeting, hostIdentity } from '../network/host/quiet-host.ts'
import type { GreetPeers, NetworkHost } from '../network/index.ts'
import { saveOwnAddresses } from '../network/peers/known-addresses.ts'
import { verdictReport } from './member.ts'
import type { DriverParts } from './rounds.ts'
import type { Running } from './running.ts'

export async function startGreeting(
  { options: { logs }, config, member, telling: { report }, started }: Running,
  host: NetworkHost
): Promise<GreetPeers> {
  const who = hostIdentity(member, config.network, logs.of('network'))
  const greeting = createGreeting(host, who, {
    onVerdict: verdictReport(report),
    onMisfit: (peerId, reason) => report({ type: 'misfit', peerId, reason })
  })
  await greeting.start()
  started.push(() => greeting.stop())
  return greeting
}

export async function startControl(
  { options: { home, logs }, config, member, telling, started }: Running,
  { components, driver }: DriverParts,
  greeting: GreetPeers
): Promise<void> {
  const { host, heads, trainer, rounds } = components
  await saveOwnAddresses(home, host.multiaddrs())
  const control = await startControlApi({
    home,
    charter: member.charter,
    host,
    greeting,
    rounds,
    driver,
    heads,
    observer: telling.observer,
    metrics: telling.metrics,
    recent: logs.recent,
    log: logs.of('control'),
    version: packageVersion(),
    config,
    lastRound: config.rounds,
    trainerPid: () => trainer.pid
  })
  started.push(() => control.stop())
}
