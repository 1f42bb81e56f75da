import { readFile } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { z } from 'zod'
import type { Home } from '../home/home.ts'
import { runningDaemon } from '../home/process-lock.ts'
import { isMissing, PeerError } from '../storage/peer-error.ts'
import { errorCode } from '../storage/store-error.ts'
import { readToken } from './token.ts'

/** Request timeout, milliseconds. A daemon on a busy machine answers late. */
const ANSWER_MS = 20_000
/** Maximum length of an answer and of an event, bytes. */
const ANSWER_BYTES_MAX = 64 * 2 ** 20

const placeSchema = z.object({
  version: z.literal(1),
  address: z.url().optional(),
  socket: z.string().optional()
})

/** One server-sent event. */
export interface ControlEvent {
  readonly type: string
  readonly data: unknown
}

/** Client of the control API of a home's daemon. */
export interface ControlClient {
  /** @throws {PeerError} when the daemon refuses, is gone, or does not answer */
  get<Answer>(path: string): Promise<Answer>
  /** Metrics in Prometheus' text format. */
  text(path: string): Promise<string>
  /** Events until the daemon ends or the signal aborts; both end the loop. */
  events(path: string, signal: AbortSignal): AsyncGenerator<ControlEvent>
}

/**
 * Finds the control API of the daemon of a home.
 *
 * @throws {PeerError} when none runs there, with the command that starts one
 */
export async function connectControl(home: Home): Promise<ControlClient> {
  const place = await readPlace(home)
  const token = process.env.LOAM_CONTROL_TOKEN || (await tokenOf(home))
  const ask = (path: string, signal: AbortSignal) => send(home, place, token, path, signal)
  const text = async (path: string) => {
    const response = await ask(path, AbortSignal.timeout(ANSWER_MS))
    return readAll(response)
  }
  return {
    text,
    get: async <Answer>(path: string) => JSON.parse(await text(path)) as Answer,
    async *events(path, signal) {
      const response = await ask(path, signal)
      signal.addEventListener('abort', () => response.destroy(), { once: true })
      let pending = ''
      try {
        for await (const chunk of response.setEncoding('utf8')) {
          pending += chunk as string
          if (pending.length > ANSWER_BYTES_MAX)
            throw new PeerError('the daemon sent an event that is too long')
          const events = pending.split('\n\n')
          pending = events.pop()!
          for (const event of events) yield* eventOf(event)
        }
      } catch (error) {
        // The events end when the stream ends, for whatever reason.
        if (!signal.aborted && errorCode(error) !== 'ECONNRESET') throw error
      }
    }
  }
}

/**
 * Where the control API of a home's daemon is, for clients of HTTP other than this one.
 *
 * @throws {PeerError} when none runs there, or it listens on a unix socket
 */
export async function controlPlace(home: Home): Promise<{ readonly url: string; readonly token: string }> {
  const { address } = await readPlace(home)
  if (address === undefined)
    throw new PeerError(
      `the daemon in ${home.folder} has its control API on a unix socket: restart it without --control-socket`
    )
  return { url: address, token: process.env.LOAM_CONTROL_TOKEN || (await tokenOf(home)) }
}

async function readPlace(home: Home): Promise<z.infer<typeof placeSchema>> {
  try {
    return placeSchema.parse(JSON.parse(await readFile(home.control, 'utf8')))
  } catch (error) {
    if (isMissing(error)) throw await noDaemon(home)
    throw new PeerError(`${home.control} cannot be read: restart the daemon, which writes it`)
  }
}

async function tokenOf(home: Home): Promise<string> {
  try {
    return await readToken(home.controlToken)
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new PeerError(`there is no ${home.controlToken}: set LOAM_CONTROL_TOKEN to the daemon's token`)
  }
}

/** Why no daemon can be asked. */
async function noDaemon(home: Home): Promise<PeerError> {
  const pid = await runningDaemon(home)
  return new PeerError(
    pid === undefined
      ? `no daemon runs in ${home.folder}: start it with loam peer --home ${home.folder}`
      : `the daemon in ${home.folder} (process ${pid}) has no control API yet: it is starting, or was started with --no-control`
  )
}

async function send(
  home: Home,
  { address, socket }: z.infer<typeof placeSchema>,
  token: string,
  path: string,
  signal: AbortSignal
): Promise<IncomingMessage> {
  const place = socket === undefined ? {} : { socketPath: socket }
  const url = new URL(path, address ?? 'http://localhost')
  let response: IncomingMessage
  try {
    response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asking = request(url, {
        ...place,
        agent: false,
        signal,
        headers: { authorization: `Bearer ${token}` }
      })
      asking.on('response', resolve).on('error', reject).end()
    })
  } catch (error) {
    if (['ECONNREFUSED', 'ENOENT'].includes(errorCode(error) ?? '')) throw await noDaemon(home)
    if ((error as Error).name === 'TimeoutError' || (error as Error).name === 'AbortError')
      throw new PeerError(`the daemon in ${home.folder} does not answer: see ${home.log}`)
    throw error
  }
  if (response.statusCode === 200) return response
  const answer = await readAll(response)
  if (response.statusCode === 401)
    throw new PeerError(
      `the daemon in ${home.folder} refuses the token: it expects the value of LOAM_CONTROL_TOKEN at its start, or else the one in ${home.controlToken}`
    )
  throw new PeerError(`the daemon answers ${response.statusCode} to ${path}: ${answer.slice(0, 500)}`)
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) {
    text += chunk as string
    if (text.length > ANSWER_BYTES_MAX) throw new PeerError('the daemon sent an answer that is too long')
  }
  return text
}

function* eventOf(block: string): Generator<ControlEvent> {
  let type: string | undefined
  let data = ''
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) type = line.slice(7)
    if (line.startsWith('data: ')) data += line.slice(6)
  }
  // A comment is only a heartbeat.
  if (type !== undefined) yield { type, data: JSON.parse(data) }
}
