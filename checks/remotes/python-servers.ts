import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** A server that runs as a child of this process. */
export interface ChildServer {
  readonly url: string
  stop(): Promise<void>
}

const START_MS = 60_000
const CONTEXT = 256

/** llama.cpp's own server, from the package xllamacpp. */
const XLLAMACPP = `
import sys, threading, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.port = int(sys.argv[2])
params.n_parallel = 4
params.n_ctx = 4 * ${CONTEXT}
server = xllamacpp.Server(params)
threading.Event().wait()
`

/**
 * Starts a server on a free port of this machine.
 *
 * @param python the interpreter that has the package
 * @throws {Error} when it does not answer in time
 */
export async function startPythonServer(
  kind: 'llama-cpp-python' | 'xllamacpp',
  python: string,
  gguf: string
): Promise<ChildServer> {
  const port = await freePort()
  const args =
    kind === 'xllamacpp'
      ? ['-c', XLLAMACPP, gguf, String(port)]
      : [
          ...['-m', 'llama_cpp.server', '--model', gguf, '--logits_all', 'True'],
          ...['--n_ctx', String(CONTEXT), '--host', '127.0.0.1', '--port', String(port)]
        ]
  const child = spawn(python, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000)
  })
  const url = `http://127.0.0.1:${port}`
  try {
    await untilItAnswers(url, child)
  } catch (error) {
    child.kill()
    throw new Error(`${kind} did not start: ${(error as Error).message}\n${said}`)
  }
  return {
    url,
    async stop() {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.kill()
      await ended
    }
  }
}

async function untilItAnswers(url: string, child: ChildProcess): Promise<void> {
  const until = performance.now() + START_MS
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
    try {
      if ((await fetch(`${url}/v1/models`)).ok) return
    } catch {
      // Not listening yet.
    }
    await delay(200)
  }
  throw new Error(`no answer within ${START_MS / 1_000} s`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
