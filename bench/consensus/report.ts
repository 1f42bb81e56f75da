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
    `# Cost of agreement in a round

Written by \`npm run bench -- consensus --report docs/results\`. Control messages only: manifests, endorsements, readies,
proposals, votes, attestations. For blocks see [blocks.md](blocks.md). Each figure except *sent* is what one member
**receives** in one round.

- **simulated**: all members train and vote; every message takes one delay, without loss or faults
  (\`test/sim\`). *delays* is from the last certificate to the last seal, in one-way delays.
- **vote-path**: only the proposal, the prevotes and the precommits of the same runs, from the proposal to the last
  commit. This is the path of CometBFT, used as the baseline: three delays. Ready and attestation add one each. The
  messages are those of Loam, with a quorum of signed readies in the proposal; CometBFT's encoding was not measured.
- **committee**: ${COMMITTEE} randomly selected members train, ${COMMITTEE} vote, and all receive the messages.
- **processes**: \`loam peer\` daemons on one machine, over real libp2p and gossipsub, measured by their own counters; see below.

${costTable(rows)}

![Messages and bytes that a member receives in a round](${plot})`,
    ...(flat === null
      ? []
      : [
          `With ${COMMITTEE} trainers and a committee of ${COMMITTEE}, from ${Math.min(...sizes)} to ${Math.max(...sizes)} members, the maximum number of messages is ${percent(flat.messages)} above the
minimum, and that of bytes ${percent(flat.bytes)}; the benchmark fails above 5 %. The growth comes from the bitmap of a ready, which has one bit per member.`
        ]),
    ...(sizes.length === 0
      ? []
      : [
          `## Risk of such a committee

Probability per round that a random committee of ${COMMITTEE} has more than its ${maximumFaulty(COMMITTEE)} tolerated faulty members, by the share of faulty members
among all members. \`loam consortium create\` prints it for its settings, and rejects settings with too high a risk.

${riskTable(sizes)}`
        ]),
    ...(processes.length === 0
      ? []
      : [
          `## Real processes

One daemon per member on one machine, each with its trainer, which takes one step. *messages* and *kB* are everything that
gossipsub received, including duplicates, its frames and its own control messages. *distinct* are messages that were new
to the member. They may be slightly fewer than in the simulated row: a member that receives the seal before its own
stack is built does not attest. *sync* is additional traffic of rule 14, which depends on time rather than on rounds, as
do gossipsub's heartbeats. On the loopback a message takes almost no time, so there are no delays to count. Instead, the
table has the time from when a quorum of processes holds its last certificate until a quorum has sealed (median over the
rounds, from their logs), and the part of it that stacking, merging and writing the model takes.
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
