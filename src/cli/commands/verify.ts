import { Command, InvalidArgumentError } from 'commander'
import { homeAt } from '../../node/home/home.ts'
import type { Verification } from '../../node/upkeep/verify-home.ts'
import { EXIT, printResult } from '../terminal/output.ts'

interface VerifyOptions {
  trust?: { round: number; seal: string }
  against?: string
  json?: boolean
}

/** `loam verify`: derive a home's history again. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description("replay a home's whole history from the charter: print its digest, or the first fault")
    .argument('<home>', 'home folder of a peer')
    .option('--trust <round:seal>', 'a seal that the history must contain, as in an invite', trustedSeal)
    .option('--against <home>', "another member's home, which must hold the same history")
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
The exit code is 0 if everything is valid, otherwise 1. If two homes hold
different seals of one round, the members that signed both are named.

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

function describe({ rounds, seal, modelDigest, members, filesChecked, wrong }: Verification): string {
  return [
    wrong === null ? `holds       ${rounds} round(s)` : `wrong       round ${wrong.round}: ${wrong.reason}`,
    `sealed      ${rounds} round(s), the last seal is ${seal}`,
    `model       ${modelDigest}`,
    `members     ${members.length} now`,
    `files       stack and model of ${filesChecked} round(s) have the sealed digests`
  ].join('\n')
}
