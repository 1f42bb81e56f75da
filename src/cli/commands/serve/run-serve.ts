import type { AddressInfo } from 'node:net'
import { packageVersion } from '../../../package-root.ts'
import {
  createEndpoint,
  DEFAULT_LOGITS_LIMITS,
  type Endpoint,
  type EndpointOptions,
  type LogitsLimits
} from '../../../prada/index.ts'
import { requireRemoteFor } from '../../options/prada-options.ts'
import { EXIT, printProgress, printResult, printText } from '../../terminal/output.ts'
import { UsageError } from '../../terminal/usage-error.ts'
import { stopSignal } from '../peer/daemon-process.ts'
import { createLateLogits, type LateLogits } from './late-logits.ts'
import { openLocal } from './open-local.ts'
import { openSteered } from './open-steered.ts'
import type { ServeFlags } from './serve.ts'

/** How long texts in progress may continue after the signal to stop, milliseconds. */
const GRACE_MS = 10_000

/** A loaded source of texts. */
export interface Served {
  /** The model name that clients use. */
  readonly name: string
  /** A description in lines of text. */
  readonly about: readonly string[]
  stop(): Promise<void>
}

/** Serves until the process is asked to stop. */
export async function runServe(flags: ServeFlags): Promise<void> {
  requireFitting(flags)
  const stopped = stopSignal()
  const isSteered = flags.remote !== undefined
  const logits = isSteered || !flags.logits ? undefined : createLateLogits(logitsLimits(flags))
  const endpoint = createEndpoint(endpointOptions(flags, logits))
  const url = await listen(endpoint, flags)
  let served: Served
  try {
    served = isSteered ? await openSteered(flags, endpoint) : await openLocal(flags, endpoint, logits)
  } catch (error) {
    await endpoint.close()
    throw error
  }
  // Without --json the status is the result, and goes to standard output.
  const say = flags.json === true ? printProgress : (line: string) => printText(`${line}\n`)
  for (const line of [
    `${served.name} is served at ${url}/v1`,
    ...(logits === undefined ? [] : [`its logits are served at ${url}`]),
    ...served.about
  ])
    say(line)
  if (process.send !== undefined && process.connected)
    process.send({ type: 'listening', url }, undefined, undefined, () => undefined)
  await stopped
  await endpoint.close(GRACE_MS)
  await served.stop()
  printResult({ url, model: served.name, ...endpoint.metrics.totals() }, flags, () => 'stopped')
  process.exit(EXIT.done)
}

/** @throws {UsageError} when flags contradict each other */
function requireFitting(flags: ServeFlags): void {
  requireRemoteFor(flags)
  if (flags.gguf !== undefined && flags.adapter !== undefined)
    throw new UsageError(
      '--adapter does not go with --gguf: merge it into the file (loam adapter export --format merged-gguf)'
    )
  if (flags.gguf !== undefined && flags.remote !== undefined)
    throw new UsageError('--gguf does not go with --remote: the proxy is --model, or that of --home')
  if (flags.remote === undefined) {
    if (flags.topK !== undefined) throw new UsageError('--top-k needs --remote')
    return
  }
  for (const [name, given] of [
    ['--no-logits', !flags.logits],
    ['--no-rows', !flags.rows],
    ['--positions-per-minute', flags.positionsPerMinute !== undefined]
  ] as const)
    if (given) throw new UsageError(`${name} does not go with --remote: no logits are served then`)
}

function logitsLimits({ rows, positionsPerMinute }: ServeFlags): LogitsLimits {
  return {
    ...DEFAULT_LOGITS_LIMITS,
    rows,
    ...(positionsPerMinute !== undefined && { positionsPerMinute })
  }
}

function endpointOptions(flags: ServeFlags, logits: LateLogits | undefined): EndpointOptions {
  const key = process.env.LOAM_API_KEY
  const apiKeys = flags.apiKey ?? (key === undefined || key === '' ? [] : [key])
  if (apiKeys.some((one) => one === '')) throw new UsageError('--api-key must not be empty')
  const { atOnce } = flags
  if (apiKeys.length === 0 && !isLoopback(flags.host))
    printProgress(`note: anybody who can reach ${flags.host} may send requests: set --api-key`)
  return {
    version: packageVersion(),
    limits: { requests: atOnce, requestsPerClient: Math.max(1, Math.ceil(atOnce / 2)) },
    apiKeys,
    ...(flags.cors !== undefined && { cors: flags.cors }),
    onFailure: reportFailure,
    ...(logits !== undefined && { addRoutes: logits.addRoutes, logitsLoad: logits.load })
  }
}

/** A failure as one line, with its cause. */
function reportFailure(error: Error): void {
  const cause = error.cause instanceof Error ? error.cause : error
  const behind = (process.env.LOAM_DEBUG ?? '') === '' ? '' : `\n${cause.stack}`
  printProgress(`error: a request failed: ${cause.message}${behind}`)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}

async function listen({ app }: Endpoint, { host, port }: ServeFlags): Promise<string> {
  try {
    await app.listen({ host, port })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === 'EADDRINUSE' ? 'it is in use' : message
    throw new Error(`cannot listen on ${host}:${port}: ${reason}; set --host and --port to a free address`)
  }
  const { port: own } = app.server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${own}`
}
