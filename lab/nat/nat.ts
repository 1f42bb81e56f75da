import { Command, Option } from 'commander'
import { natObstacle } from './lab.ts'
import { type NatResult, type NatVariant, runVariant } from './variants.ts'

const VARIANTS: readonly NatVariant[] = ['relay', 'member']

const program = new Command('npm run lab -- nat')
  .description(
    'Tests whether real peers behind two routers that block incoming connections vote and receive all blocks. Creates network namespaces and removes them.'
  )
  .addOption(
    new Option('--variant <name>', 'public host').choices(['relay', 'member', 'both']).default('both')
  )
  .option('--rounds <n>', 'rounds that must have both hidden members in their cut', Number, 2)
  .option('--seconds <n>', 'timeout of a variant', Number, 300)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText(
    'after',
    `
Requires Linux, root, ip and nft. Without them it prints the reason, skips the test, and exits with code 0.

Examples:
  $ npm run lab -- nat
  $ npm run lab -- nat --variant relay --rounds 3 --json`
  )
  .parse()

const { variant, rounds, seconds, json } = program.opts<{
  variant: NatVariant | 'both'
  rounds: number
  seconds: number
  json?: boolean
}>()
const say = (line: string) => void process.stderr.write(`${line}\n`)
const chosen = variant === 'both' ? VARIANTS : [variant]
const obstacle = await natObstacle()
const results: NatResult[] = []
if (obstacle !== undefined)
  say(`SKIPPED ${chosen.length} variant(s), so this part is not measured: ${obstacle}`)
else
  for (const each of chosen) {
    const result = await runVariant(each, { rounds, timeoutMs: seconds * 1000, onProgress: say })
    say(
      `${each}: ${result.ok ? 'ok' : 'FAILED'}, ${result.rounds} round(s) with both hidden members and equal digests, ${result.seconds} s${result.failure === undefined ? '' : `: ${result.failure}`}`
    )
    results.push(result)
  }
const ok = results.every((result) => result.ok)
const outcome = { ok, skipped: obstacle === undefined ? 0 : chosen.length, reason: obstacle ?? null, results }
if (json === true) process.stdout.write(`${JSON.stringify(outcome)}\n`)
process.exitCode = ok ? 0 : 1
