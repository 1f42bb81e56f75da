import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Longest that one command on a namespace may take, milliseconds. */
const COMMAND_MS = 10_000
/** How the names of all namespaces begin; the process that made one follows. */
const PREFIX = 'loam'
/** The wire's bridge, in the namespace of the wire. */
export const BRIDGE = 'wire'
/** A host's end of its cable to the wire. */
export const HOST_PORT = 'wan'

/** A host of a lab. */
export interface LabHost {
  /** Its network namespace. */
  readonly namespace: string
  /** What to put before a command so that it runs there. */
  readonly prefix: readonly string[]
  readonly address: string
}

/** A command that a lab needs, and the Debian package that has it. */
export interface LabCommand {
  readonly command: string
  /** Makes it say its version. */
  readonly option: string
  readonly debianPackage: string
}

export const IP_COMMAND: LabCommand = { command: 'ip', option: '-V', debianPackage: 'iproute2' }
export const NFT_COMMAND: LabCommand = { command: 'nft', option: '-v', debianPackage: 'nftables' }

/** Looks public, so that libp2p takes it for an address of the internet; no packet leaves the namespaces. */
export const publicAddress = (last: number) => `5.9.0.${last}`

/**
 * Network namespaces with cables between them and no way out, removed however the process ends: by `end`, when it exits,
 * or on SIGINT, SIGTERM and SIGHUP. What a killed process left is removed by the next that makes some.
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

  /** Removes all namespaces; what still runs in them has to be stopped before. */
  async end(): Promise<void> {
    process.off('exit', this.#removeNow)
    for (const signal of ENDING_SIGNALS) process.off(signal, endProcess)
    for (const namespace of this.#made.splice(0).reverse())
      await ip('netns', 'del', namespace).catch(() => undefined)
  }

  /** Makes a namespace. @returns its full name */
  async make(name: string): Promise<string> {
    const namespace = `${PREFIX}-${process.pid}-${this.#id}-${name}`
    this.#made.push(namespace)
    await ip('netns', 'add', namespace)
    await this.inside(namespace, 'ip', 'link', 'set', 'lo', 'up')
    return namespace
  }

  /** Runs a command in a namespace. @returns what it wrote to standard output */
  async inside(namespace: string, ...command: readonly string[]): Promise<string> {
    return ip('netns', 'exec', namespace, ...command)
  }

  /** A cable from `name` in one namespace to `other` in another. */
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

  /** Gives an interface an address, which may have the length of its network behind it. */
  async give(namespace: string, name: string, address: string): Promise<void> {
    await this.inside(namespace, 'ip', 'address', 'add', address, 'dev', name)
  }

  /** Makes the wire that public hosts share: a bridge in a namespace of its own. @returns that namespace */
  async makeWire(): Promise<string> {
    const wire = await this.make('wire')
    await this.inside(wire, 'ip', 'link', 'add', BRIDGE, 'type', 'bridge')
    await this.inside(wire, 'ip', 'link', 'set', BRIDGE, 'up')
    return wire
  }

  /** Plugs a namespace into the wire. @param plug the wire's end of the cable */
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
        // It was never made, or is gone.
      }
  }
}

/** How to run something on a host. */
export function hostIn(namespace: string, address: string): LabHost {
  return { namespace, prefix: ['ip', 'netns', 'exec', namespace], address }
}

/**
 * Why no lab can be made here; undefined where it can.
 *
 * @param commands what it takes beside `ip`
 * @param attempt tries, in a namespace that is removed again, what else the lab needs of the kernel
 */
export async function labObstacle(
  commands: readonly LabCommand[],
  attempt: (namespaces: Namespaces, namespace: string) => Promise<void>
): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'network namespaces are there on Linux only'
  if (process.getuid?.() !== 0) return 'only root may make network namespaces'
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
    return `this machine makes no namespaces, or not all that is needed in them (${reason})`
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

/** Removes namespaces whose maker has been killed. */
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
