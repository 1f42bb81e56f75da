import { existsSync } from 'node:fs'
import type { ControlClient } from '../../../node/control/index.ts'
import {
  type BootstrapView,
  judgeClocks,
  judgeNetwork,
  type NetworkFinding,
  type NetworkView
} from '../../../node/diagnosis/index.ts'
import { type Home, homeAt } from '../../../node/home/home.ts'
import { messageOf } from '../../../node/storage/peer-error.ts'
import { settingDefaults } from '../../options/setting-flags.ts'
import { shortPeerId } from '../../terminal/table.ts'
import type { DoctorOptions, DoctorSection, Findings } from './section.ts'
import { wrap } from './wrap.ts'

/** How the peer of a home is reached and whom it reaches: asks its daemon, or examines it with a temporary host. */
export const networkSection: DoctorSection = {
  name: 'network',
  async examine(options) {
    const home = homeAt(options.home)
    if (!existsSync(home.charter))
      return {
        result: null,
        text: wrap(`network  not examined: ${home.folder} is not the home of a peer (--home)`)
      }
    try {
      return networkFindings(await viewOf(home, options))
    } catch (error) {
      // What keeps the peer from starting is the finding.
      return { result: null, text: 'network  could not be examined', actions: [`${messageOf(error)}.`] }
    }
  }
}

async function viewOf(home: Home, { settings }: DoctorOptions): Promise<NetworkView> {
  const { connectControl } = await import('../../../node/control/index.ts')
  const { runningDaemon } = await import('../../../node/home/process-lock.ts')
  if ((await runningDaemon(home)) !== undefined) {
    const daemon: ControlClient = await connectControl(home)
    return daemon.get<NetworkView>('/v1/network?look=true')
  }
  const { effectiveSettings } = await import('../../../node/config/index.ts')
  const { examineNetwork } = await import('../../../node/diagnosis/index.ts')
  const { config } = await effectiveSettings(home, {
    flags: settings,
    defaults: settingDefaults(home.folder)
  })
  return examineNetwork({ home, config, log: SILENT })
}

/** Discards log lines: the view contains the findings, and the log belongs to the daemon. */
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** The findings of a view, as text and for `--json`. */
export function networkFindings(view: NetworkView): Findings {
  const findings = judgeNetwork(view)
  const textsOf = (level: NetworkFinding['level']) =>
    findings.filter((each) => each.level === level).map(({ text }) => text)
  return {
    result: view,
    text: networkText(view),
    warnings: textsOf('warning'),
    actions: textsOf('action')
  }
}

/** A view in lines of at most 80 columns, except for long addresses. */
export function networkText(view: NetworkView): string {
  const { source, peerId, members, mesh, inbound, outbound, relayed, addresses, bootstrap } = view
  const meshed = mesh === null ? '' : `, ${mesh.length} in the gossip mesh`
  const lines: [string, string][] = [
    ['network', source === 'daemon' ? 'as the running daemon sees it' : 'no daemon runs: examined now'],
    ['peer', peerId],
    [
      'members',
      `${members.connected} of ${members.others} others connected, quorum ${members.quorum}${meshed}`
    ],
    ['links', `${inbound} inbound, ${outbound} outbound, ${relayed} through relays`],
    ['router', routerText(view)],
    ['reached', reachedText(view)],
    ['clock', clockText(view)]
  ]
  const announced = addresses.filter((each) => each.announced)
  const unannounced = addresses.filter((each) => !each.announced)
  return [
    ...lines.map(([name, value]) => wrap(value, ' '.repeat(9)).replace(/^ {9}/, name.padEnd(9))),
    ...listText('announced', announced.map(addressText)),
    ...listText('not announced', unannounced.map(addressText)),
    ...listText('configured addresses', bootstrap.map(bootstrapText))
  ].join('\n')
}

function listText(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [title, ...items.map((item) => `  ${item}`)]
}

function addressText({ address }: { readonly address: string }): string {
  return withoutPeer(address)
}

function bootstrapText({ address, outcome, roundTripMs }: BootstrapView): string {
  const peer = shortPeerId(address.split('/p2p/').at(-1)!)
  const time = roundTripMs === null ? '' : `${roundTripMs} ms`
  return `${outcome.padEnd(16)}  ${peer.padEnd(11)}  ${time.padStart(8)}  ${withoutPeer(address)}`
}

function withoutPeer(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, '')
}

function routerText({ observed }: NetworkView): string {
  if (observed.length === 0) return 'unknown: no peer has reported the address that it sees'
  const outside = [...new Set(observed.filter(({ isOwn }) => !isOwn).map(({ address }) => hostOf(address)))]
  return outside.length === 0
    ? 'none: others see an address of this machine'
    : `a NAT: others see ${outside.join(', ')}, which is not an address of this machine`
}

function hostOf(address: string): string {
  return address.split('/')[2] ?? address
}

function reachedText({ inbound, autoNat, reservations }: NetworkView): string {
  const ways = [
    ...(inbound > 0 ? ['directly: others have dialled it'] : []),
    ...(reservations.length > 0 ? [`through ${reservations.map(shortPeerId).join(', ')}`] : []),
    ...(autoNat === 'reachable' ? ['from outside, by AutoNAT'] : []),
    ...(autoNat === 'unreachable' ? ['not from outside, by AutoNAT'] : [])
  ]
  return ways.length === 0 ? 'unknown: nobody has dialled it' : ways.join('; ')
}

function clockText({ clocks }: NetworkView): string {
  const verdict = judgeClocks(clocks)
  if (verdict.type === 'unknown') return 'not compared with any peer'
  const seconds = Math.abs(verdict.aheadMs) / 1_000
  const side = verdict.aheadMs > 0 ? 'behind' : 'ahead of'
  return `${seconds.toFixed(2)} s ${side} the median of ${clocks.length} peer(s)`
}
