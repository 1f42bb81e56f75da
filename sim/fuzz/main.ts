import { Command, InvalidArgumentError } from 'commander'
import { fuzz } from './fuzz.ts'
import { wireTargets } from './targets.ts'

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('must be a positive integer')
  return value
}

const program = new Command('npm run fuzz --')
  .description(
    'Feeds every decoder of the wire with random and damaged bytes: each must be decoded or refused cleanly.'
  )
  .option('--inputs <n>', 'inputs for each kind', wholeNumber, 1_000_000)
  .option('--seed <n>', 'seed of the inputs', wholeNumber, 1)
  .option('--kind <name>', 'only this kind')
  .option('--json', 'print one JSON object as the last line', false)
  .addHelpText(
    'after',
    '\nExamples:\n  npm run fuzz -- --inputs 1000000\n  npm run fuzz -- --kind proposal --seed 7'
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse()

const options = program.opts<{ inputs: number; seed: number; kind?: string; json: boolean }>()
const all = wireTargets()
const targets = all.filter(({ kind }) => options.kind === undefined || kind === options.kind)
if (targets.length === 0) {
  console.error(`unknown kind ${options.kind}; known: ${all.map(({ kind }) => kind).join(', ')}`)
  process.exit(2)
}
const results = targets.map((target) => {
  const result = fuzz(target, options.inputs, options.seed)
  const { kind, inputs, read, refused, thrown, slowestMs } = result
  console.error(
    `${kind.padEnd(14)} ${inputs} inputs: ${refused} refused, ${read} read, ${thrown.length} thrown; slowest ${slowestMs} ms`
  )
  for (const { input, error } of thrown) console.error(`  ${error}\n  input ${input}`)
  return result
})
const thrown = results.reduce((sum, result) => sum + result.thrown.length, 0)
if (options.json)
  console.log(JSON.stringify({ inputs: options.inputs, kinds: results.length, thrown, results }))
process.exitCode = thrown === 0 ? 0 : 1
