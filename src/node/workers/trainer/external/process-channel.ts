import { spawn } from 'node:child_process'
import { withoutSecrets } from '../../../config/index.ts'
import { type ChannelListener, LINE_MAX, MESSAGE_BYTES_MAX, type TrainerChannel } from './channel.ts'
import { lineSplitter } from './lines.ts'

/** Time for a trainer to exit after its standard input has ended, milliseconds. */
const END_MS = 10_000
/** Number of lines of standard error quoted in an error. */
const QUOTED_LINES = 5

/**
 * Starts a trainer as a child process in its own process group, so that its children end with it.
 *
 * @param command for the shell, run in the daemon's working directory
 */
export function startProcessChannel(command: string, to: ChannelListener): TrainerChannel {
  const child = spawn(command, {
    shell: true,
    detached: true,
    env: withoutSecrets(process.env),
    stdio: ['pipe', 'pipe', 'pipe']
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const said: string[] = []
  let fault: string | undefined
  const kill = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch {
      // The group has ended.
    }
  }
  // The daemon may exit immediately without closing the channel.
  const atExit = () => kill('SIGTERM')
  process.once('exit', atExit)

  const onLine = (line: string) => {
    if (!line.startsWith('{')) to.output(line.slice(0, LINE_MAX))
    else {
      const json = parsed(line)
      if (json === undefined)
        fail(`it printed a line that starts with { but is not JSON: ${line.slice(0, 200)}`)
      else to.message(json)
    }
  }
  const fail = (reason: string): void => {
    fault ??= reason
    kill('SIGKILL')
  }
  const tooLong = (beginning: string) =>
    fail(`it printed a line of more than ${MESSAGE_BYTES_MAX} bytes: ${beginning}…`)
  child.stdout.on('data', lineSplitter(MESSAGE_BYTES_MAX, onLine, tooLong))
  const onErrorLine = (line: string): void => {
    said.push(line.slice(0, LINE_MAX))
    if (said.length > QUOTED_LINES) said.shift()
    to.output(line.slice(0, LINE_MAX))
  }
  child.stderr.on(
    'data',
    lineSplitter(MESSAGE_BYTES_MAX, onErrorLine, () => undefined)
  )
  child.on('error', (error) => {
    fault ??= `it could not be started: ${error.message}`
  })
  // A trainer that has ended is reported by `close`.
  child.stdin.on('error', () => undefined)
  child.once('close', (code, signal) => {
    process.off('exit', atExit)
    // Its remaining child processes must not keep holding the device.
    kill('SIGKILL')
    const how = signal === null ? `it exited with code ${code}` : `it was terminated by ${signal}`
    to.ended(fault ?? [how, ...said].join('\n  '))
  })

  return {
    send(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`)
    },
    async close(force = false) {
      if (force) kill('SIGKILL')
      else child.stdin.end()
      const killer = setTimeout(() => kill('SIGKILL'), END_MS)
      await ended
      clearTimeout(killer)
    }
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
