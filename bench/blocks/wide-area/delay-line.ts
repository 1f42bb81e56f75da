import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { Namespaces } from '../../../lab/network-lab/namespaces.ts'
import { packageRoot } from '../../../src/package-root.ts'

/** The TUN device through which packets are delayed. */
export const DELAY_DEVICE = 'delay'
/** Most packets that may wait for the forwarder. */
const QUEUE_PACKETS = 10_000
const ANSWER_MS = 10_000

/** The forwarder's statistics: whether the machine kept up with the emulated network. */
export interface LineReport {
  readonly packets: number
  readonly dropped: number
  /** How late packets left, milliseconds rounded down, 99th percentile. */
  readonly lateMs99: number
}

/** A process that delays packets in a namespace. Node.js cannot open a TUN device: that takes an ioctl. */
export class DelayLine {
  readonly #forwarder: ChildProcessWithoutNullStreams
  readonly #lines: Interface

  private constructor(forwarder: ChildProcessWithoutNullStreams) {
    this.#forwarder = forwarder
    this.#lines = createInterface(forwarder.stdout)
  }

  /**
   * Creates the device in a namespace and starts to forward. @throws {Error} with what the forwarder said, or `timeout`
   */
  static async start(namespaces: Namespaces, namespace: string, delayMs: number): Promise<DelayLine> {
    const python = (await findPython()) ?? 'python3'
    const script = join(packageRoot(), 'bench', 'blocks', 'wide-area', 'delay-line.py')
    await namespaces.inside(namespace, 'ip', 'tuntap', 'add', DELAY_DEVICE, 'mode', 'tun')
    const args = ['netns', 'exec', namespace, python, script, DELAY_DEVICE, String(delayMs)]
    const forwarder = spawn('ip', args, { detached: true })
    let standardError = ''
    forwarder.stderr.setEncoding('utf8').on('data', (text: string) => {
      standardError = (standardError + text).slice(-2000)
    })
    const line = new DelayLine(forwarder)
    const ended = once(forwarder, 'exit').then(() => {
      throw new Error(`the packet forwarder is not running: ${standardError.trim()}`)
    })
    ended.catch(() => undefined)
    await Promise.race([line.#nextLine(), ended])
    for (const setting of [['txqueuelen', String(QUEUE_PACKETS)], ['up']])
      await namespaces.inside(namespace, 'ip', 'link', 'set', DELAY_DEVICE, ...setting)
    await namespaces.inside(namespace, 'sysctl', '-qw', `net.ipv4.conf.${DELAY_DEVICE}.rp_filter=0`)
    return line
  }

  /** Ends the forwarder. @returns what it has carried */
  async end(): Promise<LineReport> {
    const ended = once(this.#forwarder, 'exit')
    const report = this.#nextLine()
    this.#forwarder.stdin.end()
    const line = await report
    await ended
    return JSON.parse(line) as LineReport
  }

  async #nextLine(): Promise<string> {
    const [line] = await once(this.#lines, 'line', { signal: AbortSignal.timeout(ANSWER_MS) })
    return line as string
  }
}

/** The system's Python; only the standard library is needed. */
export async function findPython(): Promise<string | undefined> {
  for (const python of ['/usr/bin/python3', 'python3']) {
    const works = await new Promise<boolean>((resolve) => {
      const child = spawn(python, ['-c', 'import fcntl'], { stdio: 'ignore' })
      child.on('error', () => resolve(false)).on('exit', (code) => resolve(code === 0))
    })
    if (works) return python
  }
  return undefined
}
