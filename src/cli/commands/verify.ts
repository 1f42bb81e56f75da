import { Command, InvalidArgumentError } from 'commander'
import { homeAt } from '../../node/home/home.ts'
import type { Verification } from '../../node/upkeep/verify-home.ts'
import { EXIT, printResult } from '../terminal/output.ts'

interface VerifyOptions {
  trust?: { round: number; seal: string }
  against?: string
  json?: boolean
}

/** `loam verify`: derives a home's history again. */
export function verifyCommand(): Command {
  return new Command('verify')
    .argument('<home>', 'home folder of a peer')
    .option('--trust <round:seal>', 'a seal that the history must contain, as in an invite', trustedSeal)
    .option('--against <home>', "another member's home, which must have the same history")
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
Checks the seals, the digests of stacks, models and owed blocks, the norms
(recomputed if the round's blocks are present) and the log. Pruned files are
counted separately; every other missing file is named.

The exit code is 0 if everything is valid and present, otherwise 1. If two homes
have different seals of a round, the members that signed both are named.

Examples:
  $ loam verify ~/.loam
  $ loam verify ~/.loam --against /mnt/other/loam --json`
    )
    .action(verify)
}

function trustedSeal(value: string): { round: number; seal: string } {
  const match = /^([1-9]\d*):([0-9a-f]{64})$/.exec(value)
  if (match === null) throw new InvalidArgumentError('ROUND:SEAL is needed, the seal as 64 hex digits')
  return { round: Number(match[1]), seal: match[2]! }
}

async function verify(path: string, { trust, against, json }: VerifyOptions): Promise<void> {
  const { verifyHome } = await import('../../node/upkeep/verify-home.ts')
  const result = await verifyHome(homeAt(path), {
    ...(trust === undefined ? {} : { trusted: trust }),
    ...(against === undefined ? {} : { against: homeAt(against) })
  })
  printResult({ ok: result.wrong === null, ...result }, { json: json === true }, () => describe(result))
  if (result.wrong !== null) process.exitCode = EXIT.failed
}

/** Most missing files that are named without --json. */
const NAMED_MAX = 20

function describe({ rounds, seal, modelDigest, members, files, wrong }: Verification): string {
  const { checked, absent, missing, logRecords } = files
  return [
    wrong === null
      ? `valid       ${rounds} round(s)`
      : `wrong       ${wrong.round === null ? '' : `round ${wrong.round}: `}${wrong.reason}`,
    `sealed      ${rounds} round(s), the last seal is ${seal}`,
    `model       ${modelDigest}`,
    `members     ${members.length} now`,
    `files       ${checked.stacks} stack(s) and ${checked.models} model(s) have the sealed digests; ${checked.norms} table(s) of norms and ${checked.blocks} owed block(s) are intact`,
    `log         ${logRecords === null ? 'none' : `${logRecords} record(s)`}`,
    `absent      ${countsText(absent)}: pruned, or of rounds not built here`,
    ...missing.slice(0, NAMED_MAX).map((path) => `missing     ${path}`),
    ...(missing.length > NAMED_MAX ? [`missing     and ${missing.length - NAMED_MAX} more`] : [])
  ].join('\n')
}

function countsText({ stacks, models, norms, blocks }: Verification['files']['absent']): string {
  return `${stacks} stack(s), ${models} model(s), ${norms} table(s) of norms, ${blocks} block(s)`
}
