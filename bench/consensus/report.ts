import { committeeFailure, maximumFaulty } from '../../src/protocol/index.ts'
import type { CostRow, ProcessRow } from './cost-row.ts'
import { COMMITTEE } from './sizes.ts'
import type { Verdict } from './verdict.ts'

/** Shares of faulty members for which a committee's risk is shown. */
const ASSUMED_FAULTY = [0.05, 0.1, 0.2]

/** Rows as a table of Markdown, which is readable on a terminal, too. */
export function costTable(rows: readonly CostRow[]): string {
  return table(
    ['members', 'mode', 'messages', 'kB', 'delays', 'sent', 'rounds'],
    rows.map(({ members, mode, messages, bytes, delays, sent, rounds }) => [
      members,
      mode,
      messages,
      (bytes / 1000).toFixed(1),
      delays ?? '–',
      sent,
      rounds
    ])
  )
}

function processTable(rows: readonly ProcessRow[]): string {
  return table(
    [
      'processes',
      'messages',
      'kB',
      'distinct',
      'their kB',
      'sync kB',
      'certificate to seal, ms',
      'stacking, ms',
      'round, s'
    ],
    rows.map((row) => [
      row.members,
      row.messages,
      (row.bytes / 1000).toFixed(1),
      row.distinct,
      (row.distinctBytes / 1000).toFixed(1),
      (row.syncBytes / 1000).toFixed(1),
      row.sealMs,
      row.stackMs,
      row.roundSeconds
    ])
  )
}

/** Whether a row is of real processes. */
export function isProcessRow(row: CostRow): row is ProcessRow {
  return row.mode === 'processes'
}

/** The whole report, docs/results/consensus.md. @param plot file name of the plot beside it */
export function costReport(rows: readonly CostRow[], { flat, faults }: Verdict, plot: string): string {
  const processes = rows.filter(isProcessRow)
  const sizes = rows.filter(({ mode }) => mode === 'committee').map(({ members }) => members)
  const sections = [
    `# What a round's agreement costs

Written by \`npm run bench -- consensus --report docs/results\`. Control messages only: manifests, endorsements, readies,
proposals, votes, attestations. Blocks are in [blocks.md](blocks.md). Each figure is what one member **receives** in one
round, but for *sent*.

- **simulated**: all members train and vote; every message takes one delay, nothing is lost, nobody is faulty
  (\`test/sim\`). *delays* is from the last certificate to the last seal, in one-way delays.
- **vote-path**: of the same runs, only the proposal, the prevotes and the precommits, from the proposal to the last
  commit. It is CometBFT's path and the yardstick: three delays. Ready and attestation add one each. The messages are
  Loam's, a proposal with its quorum of signed readies; CometBFT's own encoding was not measured.
- **committee**: ${COMMITTEE} drawn members train, ${COMMITTEE} vote, all hear it.
- **processes**: \`loam peer\` daemons on one machine, over real libp2p and gossipsub, by their own counters; see below.

${costTable(rows)}

![What a member receives in a round](${plot})`,
    ...(flat === null
      ? []
      : [
          `With ${COMMITTEE} trainers and a committee of ${COMMITTEE}, from ${Math.min(...sizes)} to ${Math.max(...sizes)} members, the most messages are ${percent(flat.messages)} above the
least, the most bytes ${percent(flat.bytes)}; the benchmark fails beyond 5 %. What grows is the bitmap of a ready: one bit a member.`
        ]),
    ...(sizes.length === 0
      ? []
      : [
          `## What such a committee risks

Probability that a drawn committee of ${COMMITTEE} holds more than its ${maximumFaulty(COMMITTEE)} faulty members, a round, by the share of all members that
is faulty. \`loam consortium create\` prints it for its terms, and refuses terms that do not satisfy it.

${riskTable(sizes)}`
        ]),
    ...(processes.length === 0
      ? []
      : [
          `## Real processes

One daemon per member on one machine, each with its trainer, which takes one step. *messages* and *kB* are all that
gossipsub received: repetitions, its frames and its own control messages included. *distinct* is what was new to the
member. It may be a little below the simulated row: a member that receives the seal before its own stack is built attests
nothing. *sync* is what rule 14 pulled besides; it and gossipsub's
heartbeats go by time, not by rounds. On the loopback a message takes almost no time,
so there are no delays to count. Instead: from the time when a quorum of processes holds its last certificate until a
quorum has sealed, by their logs, median over the rounds; and what stacking, merging and writing the model takes of it.
All processes share the cores of one machine, so these times say more about the machine than about a network.

${processTable(processes)}`
        ]),
    ...(faults.length === 0
      ? []
      : [`## Failed expectations\n\n${faults.map((fault) => `- ${fault}`).join('\n')}`])
  ]
  return `${sections.join('\n\n')}\n`
}

function riskTable(sizes: readonly number[]): string {
  return table(
    ['members', ...ASSUMED_FAULTY.map((share) => `${percent(1 + share, 0)} faulty`)],
    sizes.map((members) => [
      members,
      ...ASSUMED_FAULTY.map((assumedFaulty) =>
        committeeFailure(members, { size: COMMITTEE, assumedFaulty, epsilon: 1, rounds: 1 }).toExponential(1)
      )
    ])
  )
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function percent(ratio: number, digits = 1): string {
  return `${((ratio - 1) * 100).toFixed(digits)} %`
}
