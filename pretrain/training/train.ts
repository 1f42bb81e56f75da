import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { createTextTokenizer, saveBaseModel } from '../../src/model/index.ts'
import { packageRoot } from '../../src/package-root.ts'
import { countBytes, loadPretrainingCorpus, tokenizeDocuments } from '../corpus/corpus.ts'
import { positiveInteger, positiveNumber } from '../support/option-values.ts'
import { END_OF_TEXT_ID, tokenizerFiles } from '../tokenizer/tokenizer-files.ts'
import { trainBytePairEncoding } from '../tokenizer/train-byte-pair-encoding.ts'
import { loadCheckpoint } from './checkpoint.ts'
import { pretrainingRecipe } from './recipe.ts'
import { writeTrainingRecord } from './training-record.ts'
import { runTraining, type TrainingProgress } from './training-run.ts'

interface PretrainOptions {
  readonly steps: number
  readonly batch: number
  readonly sequence: number
  readonly vocabulary: number
  readonly learningRate: number
  readonly horizon?: number
  readonly cooldown?: number
  readonly threads: number
  readonly seed: number
  readonly work: string
  readonly out: string
  readonly resume: boolean
  readonly logEvery: number
  readonly evaluateEvery: number
  readonly checkpointEvery: number
}

const program = new Command('npm run pretrain --')
  .description(
    'Pretrains the base model from the text packages, excluding all sixteen domains: learns the tokenizer, trains, and writes ' +
      'a Hugging Face folder.'
  )
  .option('--steps <n>', 'updates', positiveInteger, 5500)
  .option('--batch <n>', 'rows per update', positiveInteger, 16)
  .option('--sequence <n>', 'tokens per row, and the context of the model', positiveInteger, 256)
  .option('--vocabulary <n>', 'pieces of the tokenizer, including the special token', positiveInteger, 1536)
  .option('--learning-rate <x>', 'highest learning rate', positiveNumber, 3e-3)
  .option(
    '--horizon <n>',
    "length of the learning rate's cosine in steps (default: --steps)",
    positiveInteger
  )
  .option('--cooldown <n>', 'final steps over which the rate falls linearly instead', positiveInteger)
  .option('--threads <n>', 'threads of the executor', positiveInteger, 2)
  .option('--seed <n>', 'seed of the initial weights and of the order of the text', positiveInteger, 1)
  .option('--work <folder>', 'folder for checkpoints', '.loam/pretrain')
  .option('--out <folder>', 'folder for the model', join(packageRoot(), 'models', 'loam-base-1m'))
  .option('--resume', 'resume from the checkpoint in --work', false)
  .option('--log-every <n>', 'steps between log lines', positiveInteger, 50)
  .option('--evaluate-every <n>', 'steps between measurements of the held-out loss', positiveInteger, 500)
  .option('--checkpoint-every <n>', 'steps between checkpoints', positiveInteger, 250)
  .addHelpText(
    'after',
    '\nExamples:\n' +
      '  npm run pretrain -- --steps 4300 --horizon 5500 --cooldown 1500   # the shipped model: 30 minutes on 2 idle cores\n' +
      '  npm run pretrain                                                  # 5,500 steps\n' +
      '  npm run pretrain -- --resume                                      # after an interruption\n' +
      '  npm run pretrain -- --resume --steps 4000 --horizon 5500 --cooldown 1200   # end a run early\n' +
      '  npm run pretrain -- --steps 500 --out /tmp/small   # a few minutes, as a trial'
  )

await pretrain(program.parse().opts<PretrainOptions>())

async function pretrain(options: PretrainOptions): Promise<void> {
  const { threads, work, out } = options
  const { corpus, trainBytes, heldOutBytes } = await readCorpus()
  // One piece is the special token.
  const encoding = trainBytePairEncoding(
    corpus.train.map(({ text }) => text),
    options.vocabulary - 1
  )
  const files = tokenizerFiles(encoding, options.sequence)
  const tokenizer = createTextTokenizer(files.tokenizer, files.config)
  const recipe = recipeOf(options, tokenizer.vocabularySize)
  console.log(`tokenizer of ${tokenizer.vocabularySize} pieces learned; tokenizing …`)
  const train = corpus.train.map(({ text }) => tokenizer.encode(text))
  const heldOut = tokenizeDocuments(corpus.heldOut, tokenizer)
  const checkpoint = options.resume ? loadCheckpoint(work, recipe) : undefined
  if (options.resume)
    console.log(checkpoint ? `resuming at step ${checkpoint.state.step}` : 'no checkpoint: starting')

  const outcome = await runTraining({
    recipe,
    tokenizer,
    train,
    heldOut,
    threads,
    work,
    checkpoint,
    evaluateEvery: options.evaluateEvery,
    checkpointEvery: options.checkpointEvery,
    signal: stopSignal(),
    onProgress: (progress) => {
      const { step, heldOutLoss } = progress
      if (step % options.logEvery === 0 || heldOutLoss !== undefined)
        console.log(progressLine(progress, options.steps))
    }
  })
  if (!outcome.finished) {
    console.log(
      `stopped at step ${outcome.step} of ${options.steps}; continue with --resume (checkpoint in ${work})`
    )
    process.exitCode = 130
    return
  }
  const { heldOutLosses } = outcome
  saveBaseModel(out, {
    config: recipe.config,
    weights: outcome.weights,
    tokenizerJson: files.tokenizer,
    tokenizerConfigJson: files.config
  })
  writeGenerationConfig(out)
  const { config: _, ...rest } = recipe
  writeTrainingRecord(out, {
    recipe: rest,
    corpus: {
      trainDocuments: corpus.train.length,
      trainBytes,
      trainTokens: outcome.corpusTokens,
      heldOutDocuments: corpus.heldOut.length,
      heldOutBytes
    },
    seconds: Math.round(outcome.seconds),
    threads,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    heldOutLosses: [...heldOutLosses]
  })
  console.log(
    `held-out loss ${heldOutLosses.at(-1)?.nats.toFixed(4)} nats per token after ${outcome.step} steps, ` +
      `${Math.round(outcome.seconds)} s; model written to ${out}`
  )
}

async function readCorpus() {
  console.log('reading the text packages …')
  const corpus = await loadPretrainingCorpus()
  const trainBytes = countBytes(corpus.train)
  const heldOutBytes = countBytes(corpus.heldOut)
  console.log(
    `${corpus.train.length} documents (${megabytes(trainBytes)}) to train on, ` +
      `${corpus.heldOut.length} (${megabytes(heldOutBytes)}) held out`
  )
  return { corpus, trainBytes, heldOutBytes }
}

function recipeOf(options: PretrainOptions, vocabularySize: number) {
  return pretrainingRecipe({
    vocabularySize,
    steps: options.steps,
    batchSize: options.batch,
    sequenceLength: options.sequence,
    seed: options.seed,
    learningRate: options.learningRate,
    horizonSteps: options.horizon,
    cooldownSteps: options.cooldown
  })
}

function progressLine(progress: TrainingProgress, steps: number): string {
  const { step, loss, learningRate, gradientNorm, tokensPerSecond, secondsLeft, heldOutLoss } = progress
  const left = `${Math.floor(secondsLeft / 60)}:${String(Math.floor(secondsLeft % 60)).padStart(2, '0')}`
  const measured = heldOutLoss === undefined ? '' : `  held-out ${heldOutLoss.toFixed(4)}`
  return (
    `step ${String(step).padStart(String(steps).length)}/${steps}  loss ${loss.toFixed(3)}  ` +
    `lr ${learningRate.toExponential(2)}  |g| ${gradientNorm.toFixed(2)}  ` +
    `${Math.round(tokensPerSecond)} tokens/s  ${left} left${measured}`
  )
}

/** Aborts on the first Ctrl-C or termination signal; a second one ends the process. */
function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort())
  return controller.signal
}

function writeGenerationConfig(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const config = {
    bos_token_id: END_OF_TEXT_ID,
    eos_token_id: END_OF_TEXT_ID,
    do_sample: true,
    temperature: 0.8,
    top_k: 40,
    max_new_tokens: 128
  }
  writeFileSync(join(folder, 'generation_config.json'), `${JSON.stringify(config, null, 2)}\n`)
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`
}
