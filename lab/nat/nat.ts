import { Command, Option } from 'commander'
import { natObstacle } from './lab.ts'
import { type NatResult, type NatVariant, runVariant } from './variants.ts'

const VARIANTS: readonly NatVariant[] = ['relay', 'member']

const program = new Command('npm run lab -- nat')
  .description(
    'Real peers behind two routers that let nothing in, in network namespaces that this makes and removes: do they vote and get all blocks?'
  )
  .addOption(
    new Option('--variant <name>', 'who is public').choices(['relay', 'member', 'both']).default('both')
  )
  .option('--rounds <n>', 'rounds that must have both hidden members in their cut', Number, 2)
  .option('--seconds <n>', 'longest that a variant may take', Number, 300)
  .option('--json', 'print one JSON object as the last line')
  .addHelpText(
    'after',
    `
Needs Linux, root, ip and nft; without them it is skipped, says why, and exits with 0.

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
