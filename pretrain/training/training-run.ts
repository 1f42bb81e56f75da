import { createBatchStream, type TextTokenizer } from '../../src/data/index.ts'
import type { TensorMap } from '../../src/formats/tensor.ts'
import { initialiseLlama } from '../../src/model/index.ts'
import type { TokenSequences } from '../corpus/token-files.ts'
import { createDocumentScorer } from '../scoring/document-scorer.ts'
import { type Checkpoint, type HeldOutLoss, saveCheckpoint } from './checkpoint.ts'
import { createFullTrainer } from './full-trainer.ts'
import { type Recipe, recipeLearningRate } from './recipe.ts'

/** Options of a training run. */
export interface TrainingRunOptions {
  readonly recipe: Recipe
  readonly tokenizer: TextTokenizer
  /** Token sequences without their beginning-of-sequence id. */
  readonly train: TokenSequences
  /** Token sequences with their beginning-of-sequence id. */
  readonly heldOut: TokenSequences
  readonly threads: number
  /** Folder of the checkpoints. */
  readonly work: string
  readonly checkpoint?: Checkpoint | undefined
  /** Steps between measurements of the held-out loss. */
  readonly evaluateEvery: number
  readonly checkpointEvery: number
  readonly onProgress: (progress: TrainingProgress) => void
  /** Stops the run after the current step and saves a checkpoint. */
  readonly signal: AbortSignal
}

/** Progress of a run after a step. */
export interface TrainingProgress {
  /** Number of completed steps. */
  readonly step: number
  /** Training loss of this step, nats per token. */
  readonly loss: number
  readonly learningRate: number
  readonly gradientNorm: number
  /** Tokens per second since this session started. */
  readonly tokensPerSecond: number
  readonly secondsLeft: number
  /** Nats per token; present after steps at which it was measured. */
  readonly heldOutLoss?: number
}

/** Result of a run that ended or was stopped. */
export interface TrainingOutcome {
  readonly finished: boolean
  readonly step: number
  readonly seconds: number
  readonly weights: TensorMap
  /** Held-out losses measured during the run, over all sessions, and after the last step. */
  readonly heldOutLosses: readonly HeldOutLoss[]
  /** Tokens of the training corpus, including document starts. */
  readonly corpusTokens: number
}

/** Trains from the recipe's initial weights, or from a checkpoint, to the recipe's last step. */
export async function runTraining(options: TrainingRunOptions): Promise<TrainingOutcome> {
  const { recipe, threads, work, checkpoint, heldOut, signal } = options
  const { config, steps, batchSize, sequenceLength, seed } = recipe
  const stream = createBatchStream({
    documents: options.train,
    tokenizer: options.tokenizer,
    batchSize,
    sequenceLength,
    seed
  })
  const trainer = await createFullTrainer({
    config,
    weights: initialiseLlama(config, seed),
    batchSize,
    sequenceLength,
    threads,
    optimizer: { beta1: recipe.beta1, beta2: recipe.beta2, weightDecay: recipe.weightDecay },
    clipNorm: recipe.clipNorm
  })
  if (checkpoint !== undefined) trainer.restore(checkpoint.state)
  const scorer = await createDocumentScorer(config, threads)

  const firstStep = trainer.stepsDone
  const started = performance.now()
  const secondsHere = (): number => (performance.now() - started) / 1000
  const totalSeconds = (): number => (checkpoint?.seconds ?? 0) + secondsHere()
  const heldOutLosses = [...(checkpoint?.heldOutLosses ?? [])]
  const measure = async (): Promise<number> => {
    const { nats } = await scorer.score(trainer.weights, heldOut)
    heldOutLosses.push({ step: trainer.stepsDone, nats })
    return nats
  }
  const keep = (): void =>
    saveCheckpoint(work, recipe, { state: trainer.state(), seconds: totalSeconds(), heldOutLosses })

  while (trainer.stepsDone < steps && !signal.aborted) {
    const step = trainer.stepsDone
    const learningRate = recipeLearningRate(recipe, step)
    const { loss, gradientNorm } = await trainer.step(stream.nextBatch(step), learningRate)
    const done = step + 1
    const measured = done % options.evaluateEvery === 0 && done < steps
    const heldOutLoss = measured ? await measure() : undefined
    if (done % options.checkpointEvery === 0) keep()
    const pace = secondsHere() / (done - firstStep)
    options.onProgress({
      step: done,
      loss,
      learningRate,
      gradientNorm,
      tokensPerSecond: (batchSize * sequenceLength) / pace,
      secondsLeft: (steps - done) * pace,
      ...(heldOutLoss !== undefined && { heldOutLoss })
    })
  }
  keep()
  if (trainer.stepsDone >= steps) await measure()
  await scorer.dispose()
  await trainer.dispose()
  return {
    finished: trainer.stepsDone >= steps,
    step: trainer.stepsDone,
    seconds: totalSeconds(),
    weights: trainer.weights,
    heldOutLosses,
    corpusTokens: stream.tokens
  }
}
