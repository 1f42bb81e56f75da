import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Longest that one command on a namespace may take, milliseconds. */
const COMMAND_MS = 10_000

/** A host of the lab. */
export interface LabHost {
  /** Its network namespace. */
  readonly namespace: string
  /** What to put before a command so that it runs there. */
  readonly prefix: readonly string[]
  readonly address: string
}

/**
 * A small internet in network namespaces of its own, with no way out: public hosts on one wire, and laboratories behind
 * routers that translate addresses and drop whatever comes in unasked. Both laboratories use the same private addresses,
 * as real ones do.
 */
export interface NatLab {
  /** Hosts with public addresses. */
  readonly open: readonly LabHost[]
  /** Hosts that can only dial out, each behind a router of its own. */
  readonly hidden: readonly LabHost[]
  /** Whether a TCP connection to the outside of a hidden host's router comes through to it. */
  reaches(from: LabHost, hidden: number, port: number): Promise<boolean>
  /** Removes all namespaces; what still runs in them has to be stopped before. */
  end(): Promise<void>
}

/** Why no lab can be made here; undefined where it can. */
export async function labObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces are there on Linux only'
  if (process.getuid?.() !== 0) return 'only root may make network namespaces'
  for (const [command, option] of [
    ['ip', '-V'],
    ['nft', '-v']
  ] as const)
    try {
      await run(command, [option], { timeout: COMMAND_MS })
    } catch {
      return `the command ${command} is missing (Debian: apt-get install ${command === 'ip' ? 'iproute2' : 'nftables'})`
    }
  const name = `loam-try-${randomBytes(3).toString('hex')}`
  try {
    await run('ip', ['netns', 'add', name], { timeout: COMMAND_MS })
    await run('ip', ['netns', 'exec', name, 'nft', ...ROUTER_RULES('lo')], { timeout: COMMAND_MS })
    return undefined
  } catch (error) {
    return `this machine makes no namespaces or no rules in them (${(error as Error).message.trim().split('\n').at(-1)})`
  } finally {
    await run('ip', ['netns', 'del', name], { timeout: COMMAND_MS }).catch(() => undefined)
  }
}

/** One transaction: outgoing connections get the router's address; nothing comes in that nobody inside has asked for. */
const ROUTER_RULES = (outside: string) => [
  `add table ip loam; add chain ip loam out { type nat hook postrouting priority 100 ; }; ` +
    `add rule ip loam out oifname "${outside}" masquerade; ` +
    `add chain ip loam in { type filter hook input priority 0 ; policy accept ; }; ` +
    `add rule ip loam in iifname "${outside}" ct state established,related accept; ` +
    `add rule ip loam in iifname "${outside}" drop; ` +
    `add chain ip loam through { type filter hook forward priority 0 ; policy accept ; }; ` +
    `add rule ip loam through iifname "${outside}" ct state established,related accept; ` +
    `add rule ip loam through iifname "${outside}" drop`
]

/** Builds a lab. What was made is removed again when a part of it cannot be. */
export async function buildLab({ open, hidden }: { open: number; hidden: number }): Promise<NatLab> {
  const id = randomBytes(3).toString('hex')
  const made: string[] = []
  const ip = (...args: string[]) => run('ip', args, { timeout: COMMAND_MS })
  const inside = (namespace: string, ...args: string[]) => ip('netns', 'exec', namespace, ...args)
  const end = async () => {
    for (const namespace of made.splice(0).reverse())
      await ip('netns', 'del', namespace).catch(() => undefined)
  }
  const make = async (name: string) => {
    const namespace = `loam-${id}-${name}`
    await ip('netns', 'add', namespace)
    made.push(namespace)
    await inside(namespace, 'ip', 'link', 'set', 'lo', 'up')
    return namespace
  }
  /** A cable from `name` in one namespace to `other` in another. */
  const cable = async (namespace: string, name: string, far: string, other: string) => {
    await inside(namespace, 'ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', other, 'netns', far)
    await inside(namespace, 'ip', 'link', 'set', name, 'up')
    await inside(far, 'ip', 'link', 'set', other, 'up')
  }
  const give = (namespace: string, name: string, address: string) =>
    inside(namespace, 'ip', 'address', 'add', address, 'dev', name)
  /** Plugs a namespace into the wire that all public hosts share. */
  const plugIn = async (wire: string, namespace: string, plug: string, address: string) => {
    await cable(namespace, 'wan', wire, plug)
    await inside(wire, 'ip', 'link', 'set', plug, 'master', 'wire')
    await give(namespace, 'wan', `${address}/24`)
  }
  const hostIn = (namespace: string, address: string): LabHost => ({
    namespace,
    prefix: ['ip', 'netns', 'exec', namespace],
    address
  })
  try {
    const wire = await make('wire')
    await inside(wire, 'ip', 'link', 'add', 'wire', 'type', 'bridge')
    await inside(wire, 'ip', 'link', 'set', 'wire', 'up')
    const openHosts: LabHost[] = []
    for (let index = 0; index < open; index++) {
      const namespace = await make(`open${index}`)
      await plugIn(wire, namespace, `open${index}`, openAddress(index))
      openHosts.push(hostIn(namespace, openAddress(index)))
    }
    const hiddenHosts: LabHost[] = []
    for (let index = 0; index < hidden; index++) {
      const router = await make(`router${index}`)
      await plugIn(wire, router, `router${index}`, routerAddress(index))
      const namespace = await make(`hidden${index}`)
      await cable(namespace, 'lan', router, 'lan')
      await give(router, 'lan', '192.168.1.1/24')
      await give(namespace, 'lan', '192.168.1.2/24')
      await inside(namespace, 'ip', 'route', 'add', 'default', 'via', '192.168.1.1')
      await inside(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1')
      await inside(router, 'nft', ...ROUTER_RULES('wan'))
      hiddenHosts.push(hostIn(namespace, '192.168.1.2'))
    }
    return {
      open: openHosts,
      hidden: hiddenHosts,
      reaches: (from, index, port) => connects(from, routerAddress(index), port),
      end
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** Looks public, so that libp2p takes it for an address of the internet; no packet leaves the namespaces. */
const openAddress = (index: number) => `5.9.0.${10 + index}`
const routerAddress = (index: number) => `5.9.0.${100 + index}`

const CONNECT_SCRIPT = `const s = require('node:net').connect(Number(process.argv[2]), process.argv[1])
s.on('connect', () => process.exit(0)); s.on('error', () => process.exit(1)); setTimeout(() => process.exit(1), 1500)`

async function connects({ prefix }: LabHost, address: string, port: number): Promise<boolean> {
  const [command, ...args] = [...prefix, process.execPath, '-e', CONNECT_SCRIPT, address, String(port)]
  try {
    await run(command!, args, { timeout: COMMAND_MS })
    return true
  } catch {
    return false
  }
}
