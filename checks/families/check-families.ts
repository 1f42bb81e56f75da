import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import type { LoraAdapter } from '../../src/adapter/index.ts'
import { ALL_EXECUTORS, createExecutor, linearModules, loadBaseModel } from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'
import { type FamilyCase, familyCases, withSavedFolder } from '../../test/unit/model/families/family-case.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../../test/unit/model/tokenizers.ts'
import { type EngineErrors, engineErrors } from './engine-errors.ts'
import { type Exported, exportAll, ggufScores, pythonScores } from './exports.ts'
import { type Row, tableOf } from './table.ts'

/** Largest error at which two programs count as the same. */
const TOLERANCE = 1e-4
/** The same of GGUF files, nats: llama.cpp reads GELU from a table of float16. */
const GGUF_TOLERANCE = 1e-3

interface Options {
  readonly python?: string
  readonly nodeLlamaCpp?: string
  readonly out?: string
}

const options = new Command('npm run check -- families')
  .description(
    'Compares tiny models of every family with transformers, PEFT and llama.cpp, and writes docs/results/families.md.'
  )
  .option(
    '--python <program>',
    'a Python with transformers, peft and torch; without it folders are not judged'
  )
  .option('--node-llama-cpp <folder>', 'the package node-llama-cpp; without it GGUF files are not judged')
  .option('--out <file>', 'where the table goes', join(packageRoot(), 'docs/results/families.md'))
  .addHelpText(
    'after',
    `
Example:
  $ npm run check -- families --python /opt/judge/bin/python \\
      --node-llama-cpp /opt/llama/node_modules/node-llama-cpp`
  )
  .parse()
  .opts<Options>()
await check(options)

async function check({ python, nodeLlamaCpp, out }: Options): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'loam-families-'))
  try {
    const found: { family: string; name: string; errors: EngineErrors; exported: Exported }[] = []
    for (const { family, cases } of familyCases())
      for (const known of cases) {
        console.error(`${family}: ${known.name}`)
        found.push({ family, name: known.name, ...(await judge(known, join(work, `${found.length}`))) })
      }
    const inPython =
      python === undefined
        ? []
        : await pythonScores(
            python,
            found.map(({ exported }) => exported),
            work
          )
    const rows: Row[] = []
    for (const [index, { family, name, errors, exported }] of found.entries()) {
      const { gguf, ids, scores } = exported
      const theirs = inPython[index]
      const files =
        gguf instanceof Error || nodeLlamaCpp === undefined
          ? undefined
          : await ggufScores(nodeLlamaCpp, gguf, ids)
      rows.push({
        ...{ family, name, ...errors },
        merged: theirs && largest(theirs.merged, scores),
        peft: theirs && largest(theirs.peft, scores),
        ggufModel: files && largest(files[0]!, scores),
        ggufAdapter: files && largest(files[1]!, scores),
        refusal: gguf instanceof Error ? gguf.message.replace(/^\S+ /, '') : undefined
      })
    }
    const wrong = rows.filter(isWrong)
    await writeFile(out!, tableOf(rows))
    console.error(`${rows.length} models, ${wrong.length} with an error that is too large: ${out}`)
    if (wrong.length > 0) process.exitCode = 1
  } finally {
    await rm(work, { recursive: true })
  }
}

function isWrong({ ggufModel, ggufAdapter, ...others }: Row): boolean {
  const isBeyond = (value: unknown, tolerance: number): boolean =>
    value === false || (typeof value === 'number' && !(value <= tolerance))
  return (
    Object.values(others).some((value) => isBeyond(value, TOLERANCE)) ||
    [ggufModel, ggufAdapter].some((value) => isBeyond(value, GGUF_TOLERANCE))
  )
}

/** The largest error of all executors, and the forms of the adapter. */
async function judge(known: FamilyCase, work: string): Promise<{ errors: EngineErrors; exported: Exported }> {
  const folder = await withSavedFolder(known, async (saved) => {
    await cp(saved, join(work, 'base'), { recursive: true })
    return join(work, 'base')
  })
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(BYTE_LEVEL_TOKENIZER))
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(BYTE_LEVEL_CONFIG))
  const base = loadBaseModel(folder)
  const all: EngineErrors[] = []
  for (const device of ALL_EXECUTORS.filter(({ device }) => device === 'cpu' || device === 'wasm'))
    all.push(await engineErrors(createExecutor(device), base.config, base.weights, known))
  const most = (name: 'logits' | 'gradients'): number => Math.max(...all.map((errors) => errors[name] ?? 0))
  const [first] = all
  const errors = {
    logits: first!.logits === undefined ? undefined : most('logits'),
    gradients: most('gradients'),
    greedy: first!.greedy === undefined ? undefined : all.every(({ greedy }) => greedy === true),
    modules: all.every(({ modules }) => modules)
  }
  const { sequenceLength, inputIds } = known.batch
  const ids = [...inputIds.subarray(0, Math.min(sequenceLength, base.config.maxPositions))]
  return { errors, exported: await exportAll(base, adapterOf(known, base.config), ids, work) }
}

function adapterOf(known: FamilyCase, config: Parameters<typeof linearModules>[0]): LoraAdapter {
  const { rank, alpha, lora } = known
  return {
    pairs: [...linearModules(config)].map(([module, { inFeatures, outFeatures }]) => ({
      ...{ module, rank, alpha, inFeatures, outFeatures },
      A: lora[`${module}.lora_A.weight`]!.data,
      B: lora[`${module}.lora_B.weight`]!.data
    }))
  }
}

function largest(left: readonly number[], right: readonly number[]): number {
  return left.reduce((most, value, index) => Math.max(most, Math.abs(value - right[index]!)), 0)
}
