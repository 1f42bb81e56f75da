import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Timeout of a command on a namespace, milliseconds. */
const COMMAND_MS = 10_000
/** Prefix of all namespace names, followed by the id of the process that created them. */
const PREFIX = 'loam'
/** The wire's bridge, in the wire's namespace. */
export const BRIDGE = 'wire'
/** A host's end of its cable to the wire. */
export const HOST_PORT = 'wan'

/** A host of a lab. */
export interface LabHost {
  /** Its network namespace. */
  readonly namespace: string
  /** Command prefix that runs a command on the host. */
  readonly prefix: readonly string[]
  readonly address: string
}

/** A command that a lab needs, and the Debian package that provides it. */
export interface LabCommand {
  readonly command: string
  /** Option that prints its version. */
  readonly option: string
  readonly debianPackage: string
}

export const IP_COMMAND: LabCommand = { command: 'ip', option: '-V', debianPackage: 'iproute2' }
export const NFT_COMMAND: LabCommand = { command: 'nft', option: '-v', debianPackage: 'nftables' }

/** An address in a public range, so that libp2p treats it as an internet address. No packet leaves the namespaces. */
export const publicAddress = (last: number) => `5.9.0.${last}`

/**
 * Network namespaces with cables between them and no outside access. They are removed however the process ends: by
 * `end`, on exit, or on SIGINT, SIGTERM and SIGHUP. Namespaces left by a killed process are removed by the next process
 * that creates some.
 */
export class Namespaces {
  readonly #id = randomBytes(3).toString('hex')
  readonly #made: string[] = []

  private constructor() {}

  static async begin(): Promise<Namespaces> {
    await removeAbandoned()
    const namespaces = new Namespaces()
    process.on('exit', namespaces.#removeNow)
    for (const signal of ENDING_SIGNALS) process.on(signal, endProcess)
    return namespaces
  }

  /** Removes all namespaces. Stop all processes in them first. */
  async end(): Promise<void> {
    process.off('exit', this.#removeNow)
    for (const signal of ENDING_SIGNALS) process.off(signal, endProcess)
    for (const namespace of this.#made.splice(0).reverse())
      await ip('netns', 'del', namespace).catch(() => undefined)
  }

  /** Creates a namespace. @returns its full name */
  async make(name: string): Promise<string> {
    const namespace = `${PREFIX}-${process.pid}-${this.#id}-${name}`
    this.#made.push(namespace)
    await ip('netns', 'add', namespace)
    await this.inside(namespace, 'ip', 'link', 'set', 'lo', 'up')
    return namespace
  }

  /** Runs a command in a namespace. @returns its standard output */
  async inside(namespace: string, ...command: readonly string[]): Promise<string> {
    return ip('netns', 'exec', namespace, ...command)
  }

  /** Connects interface `name` in one namespace to `other` in another. */
  async cable(namespace: string, name: string, far: string, other: string): Promise<void> {
    await this.inside(
      namespace,
      'ip',
      'link',
      'add',
      name,
      'type',
      'veth',
      'peer',
      'name',
      other,
      'netns',
      far
    )
    await this.inside(namespace, 'ip', 'link', 'set', name, 'up')
    await this.inside(far, 'ip', 'link', 'set', other, 'up')
  }

  /** Assigns an address, optionally with a prefix length, to an interface. */
  async give(namespace: string, name: string, address: string): Promise<void> {
    await this.inside(namespace, 'ip', 'address', 'add', address, 'dev', name)
  }

  /** Creates the wire that public hosts share: a bridge in its own namespace. @returns that namespace */
  async makeWire(): Promise<string> {
    const wire = await this.make('wire')
    await this.inside(wire, 'ip', 'link', 'add', BRIDGE, 'type', 'bridge')
    await this.inside(wire, 'ip', 'link', 'set', BRIDGE, 'up')
    return wire
  }

  /** Connects a namespace to the wire. @param plug the wire's end of the cable */
  async plugIn(wire: string, namespace: string, plug: string, address: string): Promise<void> {
    await this.cable(namespace, HOST_PORT, wire, plug)
    await this.inside(wire, 'ip', 'link', 'set', plug, 'master', BRIDGE)
    await this.give(namespace, HOST_PORT, address)
  }

  readonly #removeNow = () => {
    for (const namespace of this.#made.splice(0).reverse())
      try {
        execFileSync('ip', ['netns', 'del', namespace], { timeout: COMMAND_MS, stdio: 'ignore' })
      } catch {
        // It was never created, or is already gone.
      }
  }
}

/** Describes how to run commands on a host. */
export function hostIn(namespace: string, address: string): LabHost {
  return { namespace, prefix: ['ip', 'netns', 'exec', namespace], address }
}

/**
 * The reason why no lab can be created here; undefined if it can.
 *
 * @param commands required in addition to `ip`
 * @param attempt tries the other kernel features that the lab needs, in a namespace that is removed again
 */
export async function labObstacle(
  commands: readonly LabCommand[],
  attempt: (namespaces: Namespaces, namespace: string) => Promise<void>
): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces are only available on Linux'
  if (process.getuid?.() !== 0) return 'creating network namespaces requires root'
  for (const { command, option, debianPackage } of [IP_COMMAND, ...commands])
    try {
      await run(command, [option], { timeout: COMMAND_MS })
    } catch {
      return `the command ${command} is missing (Debian: apt-get install ${debianPackage})`
    }
  const namespaces = await Namespaces.begin()
  try {
    await attempt(namespaces, await namespaces.make('try'))
    return undefined
  } catch (error) {
    const reason = (error as Error).message.trim().split('\n').at(-1)
    return `this machine does not support namespaces or a feature that the lab needs in them (${reason})`
  } finally {
    await namespaces.end()
  }
}

const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }

function endProcess(signal: NodeJS.Signals): void {
  process.exit(128 + SIGNAL_NUMBERS[signal as keyof typeof SIGNAL_NUMBERS])
}

async function ip(...args: readonly string[]): Promise<string> {
  return (await run('ip', args, { timeout: COMMAND_MS })).stdout
}

/** Removes namespaces whose process was killed. */
async function removeAbandoned(): Promise<void> {
  for (const [name, maker] of (await ip('netns', 'list')).matchAll(
    new RegExp(`^${PREFIX}-(\\d+)-\\S+`, 'gm')
  ))
    if (!isRunning(Number(maker))) await ip('netns', 'del', name).catch(() => undefined)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
