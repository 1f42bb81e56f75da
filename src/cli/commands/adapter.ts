import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import type { ElementFormat } from '../../formats/index.ts'
import type { ExportFormat, RoundSpan } from '../../node/export/export-adapter.ts'
import type { RoundChoice } from '../../node/export/round-model.ts'
import { homeAt } from '../../node/home/home.ts'
import { integer } from '../options/parsers.ts'
import { roundOption } from '../options/round-option.ts'
import { baseModelFolder, homeModelFolder, SHIPPED_MODEL } from '../options/shipped-model.ts'
import { printResult } from '../terminal/output.ts'
import { UsageError } from '../terminal/usage-error.ts'

interface ExportFlags {
  home: string
  format: ExportFormat
  out: string
  rounds?: RoundSpan
  round?: RoundChoice
  maxRank?: number
  dtype: Lowercase<ElementFormat>
  model?: string
  baseName: string
  overwrite?: boolean
  json?: boolean
}

interface ImportFlags {
  model?: string
  out?: string
  dtype: Lowercase<ElementFormat>
  overwrite?: boolean
  json?: boolean
}

/** `loam adapter`: exports the global adapter, imports another one. */
export function adapterCommand(): Command {
  return new Command('adapter').addCommand(exportCommand()).addCommand(importCommand())
}

function exportCommand(): Command {
  return new Command('export')
    .description("write the consortium's adapter, all sealed rounds in one, for use with other tools")
    .requiredOption('--home <folder>', "a peer's home folder")
    .addOption(
      new Option('--format <format>', 'format to write')
        .choices(['peft', 'gguf', 'merged', 'merged-gguf'])
        .default('peft')
    )
    .requiredOption('--out <folder>', 'folder to write')
    .option('--rounds <a..b>', 'only these rounds (default: all)', parseRounds)
    .addOption(roundOption('all rounds up to this one').conflicts('rounds'))
    .option(
      '--max-rank <n>',
      'maximum rank: writes the nearest adapter of that rank and prints the error',
      integer('--max-rank', 1, 65_536)
    )
    .addOption(dtypeOption())
    .option(
      '--model <folder>',
      "folder of the base model (default: the home's own, else the model that Loam ships)"
    )
    .option('--base-name <name>', 'name of the base model in the files', SHIPPED_MODEL)
    .option('--overwrite', 'replace the contents of --out')
    .option('--json', 'print one JSON object: { "folder", "format", "rounds", "rank", "error" }')
    .addHelpText(
      'after',
      `
Formats:
  peft         adapter_config.json and adapter_model.safetensors, for PEFT
  gguf         adapter.gguf, for llama.cpp's --lora
  merged       a Hugging Face folder: the base with the adapter merged in
  merged-gguf  model.gguf, the same for llama.cpp (byte-level BPE tokenizers)

The scale is folded into the weights, so other tools compute exactly the global
model. Several rounds become one adapter whose rank is the sum of theirs, and
never more than the weights have; --max-rank makes it smaller and prints the
error. Merged formats need the last model alone. An adapter is made of the
rounds' stacks; where one is gone, it is the nearest one of rank 64 or
--max-rank to what the weights have changed, with its error.

Examples:
  $ loam adapter export --home ~/.loam --format peft --out adapter
  $ loam adapter export --home ~/.loam --rounds 1..3 --max-rank 16 --out small
  $ loam adapter export --home ~/.loam --round best --out best
  $ loam adapter export --home ~/.loam --format gguf --out adapter-gguf
  $ loam adapter export --home ~/.loam --format merged --dtype bf16 --out model`
    )
    .action(runExport)
}

function importCommand(): Command {
  return new Command('import')
    .description('check a PEFT adapter folder against a base model, and merge it into one to start from')
    .argument('<folder>', 'PEFT adapter folder')
    .option('--model <folder>', 'folder of the base model (default: the model that Loam ships)')
    .option('--out <folder>', 'write the base with the adapter merged into its weights here')
    .addOption(dtypeOption())
    .option('--overwrite', 'replace the model that is in --out')
    .option('--json', 'print one JSON object: { "modules", "ranks", "scales", "baseModel", "folder" }')
    .addHelpText(
      'after',
      `
Without --out, the adapter is only checked against the model: keys, shapes,
ranks and scales. With --out, the folder written is a base model: a consortium
created on it starts from the adapter.

Examples:
  $ loam adapter import ~/downloads/some-lora
  $ loam adapter import ~/downloads/some-lora --out warm-base
  $ loam consortium create --model warm-base …`
    )
    .action(runImport)
}

function dtypeOption(): Option {
  return new Option('--dtype <dtype>', 'element format').choices(['f32', 'f16', 'bf16']).default('f32')
}

async function runExport(flags: ExportFlags): Promise<void> {
  const { exportAdapter } = await import('../../node/export/export-adapter.ts')
  const exported = await exportAdapter(homeAt(flags.home), {
    format: flags.format,
    folder: resolve(flags.out),
    rounds: flags.rounds,
    round: flags.round,
    maxRank: flags.maxRank,
    dtype: flags.dtype.toUpperCase() as ElementFormat,
    baseFolder: homeModelFolder(homeAt(flags.home), flags.model),
    baseName: flags.baseName,
    overwrite: flags.overwrite
  })
  printResult(exported, flags, () => {
    const { folder, rank, rounds, error } = exported
    const loss = error === 0 ? 'exact' : `relative error ${error.toPrecision(3)}`
    const size = rank === null ? 'the sealed weights' : `rank ${rank}`
    const notes = (exported.notes ?? []).map((note) => `\n${note}`).join('')
    return `${folder}\n${size}, from round(s) ${rounds.join(', ')}, ${loss}${notes}`
  })
}

async function runImport(folder: string, flags: ImportFlags): Promise<void> {
  const { importAdapter } = await import('../../node/export/import-adapter.ts')
  const imported = await importAdapter(resolve(folder), {
    baseFolder: baseModelFolder(flags.model),
    out: flags.out === undefined ? undefined : resolve(flags.out),
    dtype: flags.dtype.toUpperCase() as ElementFormat,
    overwrite: flags.overwrite
  })
  printResult(imported, flags, () => {
    const { modules, ranks, scales } = imported
    const lines = [
      `${modules.length} modules match the model`,
      `ranks ${ranks.join(', ')}; scales ${scales.map((scale) => scale.toPrecision(4)).join(', ')}`
    ]
    if (imported.folder !== undefined) lines.push(`base with the adapter merged in: ${imported.folder}`)
    return lines.join('\n')
  })
}

function parseRounds(text: string): RoundSpan {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (match !== null && first >= 1 && last >= first && Number.isSafeInteger(last)) return { first, last }
  throw new UsageError(`--rounds must be one round or a span such as 1..3, got ${JSON.stringify(text)}`)
}
