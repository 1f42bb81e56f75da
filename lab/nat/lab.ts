import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import {
  HOST_PORT,
  hostIn,
  type LabHost,
  labObstacle,
  Namespaces,
  NFT_COMMAND,
  publicAddress
} from '../network-lab/namespaces.ts'

/** Timeout of a connection attempt, milliseconds. */
const CONNECT_MS = 10_000

/**
 * A small internet in isolated network namespaces without outside access: public hosts on one wire, and laboratories
 * behind NAT routers that drop unsolicited packets. All laboratories use the same private addresses, as real ones do.
 */
export interface NatLab {
  /** Hosts with public addresses. */
  readonly open: readonly LabHost[]
  /** Hosts that can only dial out, each behind its own router. */
  readonly hidden: readonly LabHost[]
  /** Whether a TCP connection to the outside address of a hidden host's router reaches the host. */
  reaches(from: LabHost, hidden: number, port: number): Promise<boolean>
  /** Removes all namespaces. Stop all processes in them first. */
  end(): Promise<void>
}

/** The reason why no lab can be created here; undefined if it can. */
export async function natObstacle(): Promise<string | undefined> {
  return labObstacle([NFT_COMMAND], async (namespaces, namespace) => {
    await namespaces.inside(namespace, 'nft', ROUTER_RULES('lo'))
  })
}

/** One transaction: outgoing connections get the router's address, and unsolicited incoming packets are dropped. */
const ROUTER_RULES = (outside: string) =>
  `add table ip loam; add chain ip loam out { type nat hook postrouting priority 100 ; }; ` +
  `add rule ip loam out oifname "${outside}" masquerade; ` +
  `add chain ip loam in { type filter hook input priority 0 ; policy accept ; }; ` +
  `add rule ip loam in iifname "${outside}" ct state established,related accept; ` +
  `add rule ip loam in iifname "${outside}" drop; ` +
  `add chain ip loam through { type filter hook forward priority 0 ; policy accept ; }; ` +
  `add rule ip loam through iifname "${outside}" ct state established,related accept; ` +
  `add rule ip loam through iifname "${outside}" drop`

/** Builds a lab. If a part of it fails, everything created so far is removed. */
export async function buildNatLab({ open, hidden }: { open: number; hidden: number }): Promise<NatLab> {
  const namespaces = await Namespaces.begin()
  try {
    const wire = await namespaces.makeWire()
    const openHosts: LabHost[] = []
    for (let index = 0; index < open; index++) {
      const namespace = await namespaces.make(`open${index}`)
      const address = publicAddress(10 + index)
      await namespaces.plugIn(wire, namespace, `open${index}`, `${address}/24`)
      openHosts.push(hostIn(namespace, address))
    }
    const hiddenHosts: LabHost[] = []
    for (let index = 0; index < hidden; index++) {
      const router = await namespaces.make(`router${index}`)
      await namespaces.plugIn(wire, router, `router${index}`, `${routerAddress(index)}/24`)
      const namespace = await namespaces.make(`hidden${index}`)
      await namespaces.cable(namespace, 'lan', router, 'lan')
      await namespaces.give(router, 'lan', '192.168.1.1/24')
      await namespaces.give(namespace, 'lan', '192.168.1.2/24')
      await namespaces.inside(namespace, 'ip', 'route', 'add', 'default', 'via', '192.168.1.1')
      await namespaces.inside(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
      await namespaces.inside(router, 'nft', ROUTER_RULES(HOST_PORT))
      hiddenHosts.push(hostIn(namespace, '192.168.1.2'))
    }
    return {
      open: openHosts,
      hidden: hiddenHosts,
      reaches: (from, index, port) => connects(from, routerAddress(index), port),
      end: () => namespaces.end()
    }
  } catch (error) {
    await namespaces.end()
    throw error
  }
}

const routerAddress = (index: number) => publicAddress(100 + index)

const CONNECT_SCRIPT = `const s = require('node:net').connect(Number(process.argv[2]), process.argv[1])
s.on('connect', () => process.exit(0)); s.on('error', () => process.exit(1)); setTimeout(() => process.exit(1), 1500)`

async function connects({ prefix }: LabHost, address: string, port: number): Promise<boolean> {
  const [command, ...args] = [...prefix, process.execPath, '-e', CONNECT_SCRIPT, address, String(port)]
  try {
    await promisify(execFile)(command!, args, { timeout: CONNECT_MS })
    return true
  } catch {
    return false
  }
}
