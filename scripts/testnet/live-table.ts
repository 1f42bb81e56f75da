import Table from 'cli-table3'
import { createLogUpdate } from 'log-update'
import type { PeerReport } from '../../src/node/home/peer-report.ts'
import type { NetworkRun, PeerView } from './network-run.ts'

/** Redraws per second: smooth to look at, cheap for the terminal. */
const REDRAW_MS = 200
const BAR_WIDTH = 6
const DIGEST_SHOWN = 8

/** Shows a network while it runs. */
export interface Display {
  change(view: PeerView, report: PeerReport): void
  /** Prints a line above the table. */
  say(line: string): void
  /** Shows the progress of a long task; the last state of each task remains. */
  work(name: string, done: number, total: number): void
  close(): void
}

/** A table that redraws itself in a terminal; plain lines elsewhere. */
export function createDisplay(stream: NodeJS.WriteStream, viewsOf: () => NetworkRun['views']): Display {
  return stream.isTTY ? liveTable(stream, viewsOf) : plainLines(stream)
}

function liveTable(stream: NodeJS.WriteStream, viewsOf: () => NetworkRun['views']): Display {
  const logUpdate = createLogUpdate(stream)
  const pieces = new Map<string, string>()
  let isDirty = false
  const draw = () => {
    if (!isDirty) return
    isDirty = false
    logUpdate([...(viewsOf().length > 0 ? [renderTable(viewsOf())] : []), ...pieces.values()].join('\n'))
  }
  const timer = setInterval(draw, REDRAW_MS)
  return {
    change: () => {
      isDirty = true
    },
    say(line) {
      logUpdate.clear()
      stream.write(`${line}\n`)
      isDirty = viewsOf().length > 0
    },
    work(name, done, total) {
      pieces.set(name, `${bar(done / total)} ${name} ${done}/${total}`)
      isDirty = true
    },
    close() {
      clearInterval(timer)
      isDirty = viewsOf().length > 0
      draw()
      logUpdate.done()
    }
  }
}

/** The table of all peers; 79 columns wide at most. */
export function renderTable(views: NetworkRun['views']): string {
  const table = new Table({
    head: ['peer', 'rank', 'domain', 'round', 'phase', 'step', 'loss', 'shards', 'digest'],
    colAligns: ['right', 'right', 'left', 'right', 'left', 'left', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 1 },
    chars: PLAIN_BORDERS
  })
  for (const view of views) table.push(rowOf(view))
  return table.toString()
}

/** Columns separated by spaces alone. */
export const PLAIN_BORDERS = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right']
    .concat(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'])
    .map((name) => [name, ''])
)

function rowOf(view: PeerView): string[] {
  const { peer, progress, sealed } = view
  const last = sealed.at(-1)
  const begun = [String(peer.index), String(peer.rank), shorten(peer.domain, 17)]
  if (progress?.phase === 'serving' && last !== undefined)
    return [...begun, String(last.round), 'done', bar(1), '', '', last.modelDigest.slice(0, DIGEST_SHOWN)]
  const done = progress === undefined ? '' : bar(progress.step / progress.steps)
  return [
    ...begun,
    String(progress?.round ?? '-'),
    view.ended !== undefined ? 'ended' : (progress?.phase ?? 'starting'),
    progress === undefined
      ? ''
      : `${done} ${String(progress.step).padStart(String(progress.steps).length)}/${progress.steps}`,
    progress?.loss?.toFixed(3) ?? '-',
    progress === undefined ? '' : `${progress.shardsHeld}/${progress.shardsKnown}`,
    last?.modelDigest.slice(0, DIGEST_SHOWN) ?? '-'
  ]
}

function bar(share: number): string {
  const filled = Math.round(Math.min(share, 1) * BAR_WIDTH)
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`
}

function plainLines(stream: NodeJS.WriteStream): Display {
  const said = new Map<number, string>()
  const say = (line: string) => stream.write(`${line}\n`)
  return {
    say,
    work(name, done, total) {
      if (done % Math.ceil(total / 4) === 0 || done === total) say(`${name}: ${done}/${total}`)
    },
    change({ peer }, report) {
      const line = lineOf(report)
      if (line === undefined || said.get(peer.index) === line) return
      said.set(peer.index, line)
      say(`peer ${peer.index}: ${line}`)
    },
    close: () => {}
  }
}

function lineOf(report: PeerReport): string | undefined {
  switch (report.type) {
    case 'listening':
      return `listens on ${report.addresses[0] ?? 'no address'}`
    case 'sealed':
      return `sealed round ${report.round}: ${report.cut.length} shard sets, stack ${report.stackDigest?.slice(0, 16) ?? 'none (void)'}, model ${report.modelDigest.slice(0, 16)}`
    case 'halted':
      return `halted: ${report.reason}`
    case 'progress': {
      const { round, phase, step, steps, loss } = report
      if (phase !== 'training') return `round ${round}, ${phase}`
      if (step === 0 || loss === null || step % Math.ceil(steps / 4) !== 0) return undefined
      return `round ${round}, training ${step}/${steps}, loss ${loss.toFixed(3)}`
    }
  }
}
