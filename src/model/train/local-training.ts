import type { LoraAdapter } from '../../adapter/pair/lora-adapter.ts'
import type { ExampleStream } from '../../data/packing/example-stream.ts'
import type { Tensor, TensorMap } from '../../formats/tensor.ts'
import type { LossEvaluator } from '../evaluate/loss-evaluator.ts'
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { createEarlyStop } from './early-stop.ts'
import type { LoraRun, LoraRunOptions, LoraTrainer } from './lora-trainer.ts'
import { learningRateAt, type ScheduleSettings } from './schedule.ts'

/** Progress after an update. */
export interface TrainingStep {
  /** Updates done, from 1. */
  readonly step: number
  readonly steps: number
  /** Mean cross-entropy of the step's targets before the update, nats. */
  readonly loss: number
  readonly learningRate: number
  /** Global norm of the gradients before clipping. */
  readonly gradientNorm: number
  /** Targets learned in this step. */
  readonly tokens: number
}

/** Held-out examples and how often they are evaluated. */
export interface HeldOutOptions {
  readonly stream: ExampleStream
  /** Built for the trainer's LoRA and format of the base weights. */
  readonly evaluator: LossEvaluator
  /** Updates between two evaluations; only before the first and after the last if absent. */
  readonly every?: number | undefined
  /** Evaluations without a new lowest loss after which training stops and returns the best adapter. */
  readonly patience?: number | undefined
}

/** Where checkpoints are kept. */
export interface CheckpointOptions {
  readonly path: string
  /** Updates between two checkpoints; only when training is stopped if absent. */
  readonly every?: number | undefined
  /** Whether to resume from the checkpoint that is there. */
  readonly resume: boolean
  /** Everything that the run depends on: a checkpoint with other settings is refused. */
  readonly settings: Readonly<Record<string, unknown>>
}

/** A training run on this machine. */
export interface LocalTrainingOptions extends LoraRunOptions {
  readonly trainer: LoraTrainer
  readonly stream: ExampleStream
  /** Number of updates. */
  readonly steps: number
  /** Batches per update, whose gradients are accumulated; 1 if absent. */
  readonly accumulation?: number
  readonly schedule: ScheduleSettings
  readonly heldOut?: HeldOutOptions | undefined
  readonly checkpoint?: CheckpointOptions | undefined
  /** Called once the run is set up, with the step of the checkpoint from which it continues, if any. */
  readonly onStart?: (resumedAt: number | undefined) => void
  readonly onStep?: (step: TrainingStep) => void
  readonly onHeldOut?: (step: number, loss: number) => void
  /** Stops between two steps; a checkpoint is written first. */
  readonly signal?: AbortSignal
}

/** The result of a run. */
export interface LocalTrainingResult {
  readonly adapter: LoraAdapter
  /** Number of updates; fewer than requested if training stopped early. */
  readonly steps: number
  /** Targets learned. */
  readonly tokens: number
  readonly loss: { readonly first: number; readonly last: number }
  readonly heldOutLoss?: { readonly before: number; readonly after: number } | undefined
  /** Step of the returned adapter, if early stopping was enabled. */
  readonly bestStep?: number | undefined
  readonly stoppedEarly: boolean
}

/**
 * Trains a LoRA adapter on this machine's examples alone. Batches depend on the step and the seed only, so that a
 * resumed run ends with the same bits as one that never stopped.
 *
 * @throws {CheckpointError} when the checkpoint to resume from is damaged or of a run with other settings
 * @throws {Error} when the loss is no longer finite
 * @throws the signal's reason, when it aborts
 */
export async function trainLocally(options: LocalTrainingOptions): Promise<LocalTrainingResult> {
  const { trainer, stream, steps, accumulation = 1, schedule, heldOut, checkpoint, weights, signal } = options
  const run = trainer.begin(options)
  const measure = (adapter?: LoraAdapter): Promise<number> =>
    heldOut!.evaluator.loss(heldOut!.stream, weights, adapter)

  const found = checkpoint?.resume ? await readCheckpoint(checkpoint.path, checkpoint.settings) : undefined
  if (found) run.restore(found)
  let [tokens, firstLoss, lastLoss] = [found?.tokens ?? 0, found?.firstLoss ?? 0, found?.lastLoss ?? 0]
  let best = found?.best
  const stop = createEarlyStop(heldOut?.patience, found?.earlyStop)
  options.onStart?.(found?.step)
  const heldOutBefore = found ? found.heldOutBefore : heldOut && (await measure())
  if (!found && heldOutBefore !== undefined) options.onHeldOut?.(0, heldOutBefore)

  const save = async (): Promise<void> => {
    if (checkpoint === undefined) return
    const { settings, path } = checkpoint
    const earlyStop = { best: stop.best, since: stop.since }
    const state: Checkpoint = {
      ...run.state(),
      ...{ settings, tokens, firstLoss, lastLoss, heldOutBefore, earlyStop, best }
    }
    await writeCheckpoint(path, state)
  }
  const isDue = (every: number | undefined): boolean => every !== undefined && run.stepsDone % every === 0

  while (run.stepsDone < steps && !stop.exhausted) {
    if (signal?.aborted) {
      await save()
      throw signal.reason
    }
    const step = run.stepsDone
    const batches = Array.from({ length: accumulation }, (_, part) =>
      stream.nextBatch(step * accumulation + part)
    )
    const learningRate = learningRateAt(schedule, step, steps)
    const done = await run.step(batches, learningRate)
    if (step === 0) firstLoss = done.loss
    lastLoss = done.loss
    tokens += done.tokens
    options.onStep?.({ ...done, step: step + 1, steps, learningRate })
    if (heldOut && (isDue(heldOut.every) || (heldOut.patience !== undefined && step + 1 === steps))) {
      const loss = await measure(run.adapter)
      options.onHeldOut?.(step + 1, loss)
      const isBest = stop.observe(loss, step + 1)
      if (isBest && heldOut.patience !== undefined) best = copyFactors(run)
    }
    if (
      isDue(checkpoint?.every) ||
      (checkpoint?.every !== undefined && (step + 1 === steps || stop.exhausted))
    )
      await save()
  }

  const adapter = best ? withFactors(run.adapter, best) : run.adapter
  return {
    adapter,
    steps: run.stepsDone,
    tokens,
    loss: { first: firstLoss, last: lastLoss },
    ...(heldOutBefore !== undefined && {
      heldOutLoss: { before: heldOutBefore, after: await measure(adapter) }
    }),
    ...(best && { bestStep: stop.best!.step }),
    stoppedEarly: run.stepsDone < steps
  }
}

function copyFactors({ adapter }: LoraRun): Map<string, Tensor> {
  const copies = new Map<string, Tensor>()
  for (const { module, rank, inFeatures, outFeatures, A, B } of adapter.pairs) {
    copies.set(`${module}.A`, { shape: [rank, inFeatures], data: A.slice() })
    copies.set(`${module}.B`, { shape: [outFeatures, rank], data: B.slice() })
  }
  return copies
}

function withFactors({ pairs }: LoraAdapter, factors: TensorMap): LoraAdapter {
  return {
    pairs: pairs.map((pair) => ({
      ...pair,
      A: factors.get(`${pair.module}.A`)!.data,
      B: factors.get(`${pair.module}.B`)!.data
    }))
  }
}
