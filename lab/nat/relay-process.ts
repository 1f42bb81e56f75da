import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { commandFile } from '../../src/package-root.ts'
import type { LabHost } from '../network-lab/namespaces.ts'

/** Time for a relay to stop before it is killed, milliseconds. */
const STOP_MS = 8_000
const START_MS = 60_000
const STANDARD_ERROR_MAX = 8_192

/** A running `loam relay`. */
export interface RelayProcess {
  readonly peerId: string
  /** Maximum number of connections that it has relayed at once. */
  carried(): number
  stop(): Promise<void>
}

/** Starts `loam relay` on a host of the lab. @throws {Error} with its output, if it does not start */
export async function startRelayProcess(
  { prefix }: LabHost,
  home: string,
  charter: string,
  port: number
): Promise<RelayProcess> {
  const [command, ...args] = [
    ...prefix,
    process.execPath,
    commandFile(),
    'relay',
    ...['--home', home, '--charter', charter, '--listen', `/ip4/0.0.0.0/tcp/${port}`]
  ]
  const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true })
  let standardError = ''
  let carried = 0
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    standardError = (standardError + text).slice(-STANDARD_ERROR_MAX)
  })
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    for (const [, count] of text.matchAll(/(\d+) connection\(s\) carried/g))
      carried = Math.max(carried, Number(count))
  })
  const exited = once(child, 'exit')
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await exited
    clearTimeout(killer)
  }
  const peerId = await new Promise<string>((resolve, reject) => {
    const fail = () => reject(new Error(`the relay did not start: ${standardError}`))
    const timer = setTimeout(fail, START_MS)
    void exited.then(fail)
    child.on('message', (message) => {
      clearTimeout(timer)
      resolve((message as { peerId: string }).peerId)
    })
  }).catch(async (error: unknown) => {
    await end()
    throw error
  })
  return { peerId, carried: () => carried, stop: end }
}
