import type { ShardDtype } from '../../../adapter/index.ts'
import type { HeldOutLoss, ManifestShard } from '../../../protocol/index.ts'
import type { DataConfig, TrainingConfig } from '../../config/index.ts'

/** A request for one round's local training; plain data for the trainer process. */
export interface TrainingJob {
  readonly round: number
  readonly baseFolder: string
  /** Merged modules that the round starts from; undefined for the base's own. */
  readonly modelFile: string | undefined
  /** File or folder of training documents, and how to read them. */
  readonly documents: string
  readonly data: DataConfig
  /** Tokens of them that training does not see, for the held-out check; undefined where that has other text, or none. */
  readonly keptBack: number | undefined
  readonly modules: readonly string[]
  readonly rank: number
  readonly alpha: number
  /** Whether the scale is alpha / √rank, from the charter. */
  readonly rankStabilised: boolean
  readonly training: TrainingConfig
  /** Seed of this member's fresh LoRA. */
  readonly seed: number
  /** Seed of the order of its documents, and the first step's place in that order. */
  readonly documentSeed: number
  readonly firstStep: number
  /** Home folder, for the blocks, and where `local.safetensors` goes. */
  readonly home: string
  readonly localPath: string
  /** Element format of shards on the wire, from the charter. */
  readonly dtype: ShardDtype
  /**
   * The residual of this peer's last stacked shards, if the file exists; the new residual is written to `residualPath`.
   */
  readonly residualFile: string | undefined
  readonly residualPath: string
  /** The trainer in place of the engine inside: its command, or `attach`; and when its result is due, milliseconds since 1970. */
  readonly external?: { readonly trainer: string; readonly deadline: number } | undefined
}

/** Progress of a training. */
export interface TrainingProgress {
  readonly step: number
  readonly steps: number
  /** Mean nats per token of the step's batch. */
  readonly loss: number
}

/** A shard that was written to the block store. Digests are hex. */
export interface TrainedShard {
  readonly module: string
  readonly rank: number
  readonly alpha: number
  readonly inFeatures: number
  readonly outFeatures: number
  readonly blocks: readonly string[]
}

/** The result of a training; blocks and `local.safetensors` are on disk. */
export interface TrainingResult {
  /** Documents trained on. */
  readonly samples: number
  /** Tokens of the data that the loss counts: one pass over all documents. */
  readonly targets: number
  readonly shards: readonly TrainedShard[]
  readonly totalBytes: number
  /** Why `residualFile` could not be applied; undefined if it was or does not exist. */
  readonly residualFault?: string | undefined
  /** The fallback executor and the reason; only in the first round after the choice. */
  readonly fallback?: string | undefined
  /** What of the data is not trained on, or not as its author may think; told once. */
  readonly notes?: readonly string[]
  /** What trained, where it was not the engine inside. */
  readonly trainer?: ExternalTrainer | undefined
}

/** What an external trainer says of itself and of a training. */
export interface ExternalTrainer {
  readonly name: string
  readonly version: string
  readonly device?: string | undefined
  readonly precision?: string | undefined
  /** Optimizer steps that were made. */
  readonly steps: number
  /** Privacy spent, as the trainer declares it. */
  readonly privacy?: object | undefined
}

/** A file of text, or the part of the training documents that training does not see. */
export type HeldOutText =
  | { readonly file: string }
  | { readonly documents: string; readonly data: DataConfig; readonly keptBack: number }

/** Held-out losses, nats per token, and the number of tokens that they are means of. */
export interface MeasuredLoss extends HeldOutLoss {
  readonly targets: number
}

/**
 * A request to measure one update, or the model alone, on this peer's held-out text (rule 2 *Validate*); plain data like
 * {@link TrainingJob}.
 */
export interface MeasuringJob {
  readonly baseFolder: string
  /** Merged modules that the round starts from; undefined for the base's own. */
  readonly modelFile: string | undefined
  /** Modules that the charter allows to adapt. */
  readonly modules: readonly string[]
  readonly rankStabilised: boolean
  readonly training: TrainingConfig
  /** Home folder, for the blocks. */
  readonly home: string
  readonly dtype: ShardDtype
  /** The update; empty to measure the model alone, whose loss is then `after` too. */
  readonly shards: readonly ManifestShard[]
  /** The held-out text, and the number of its tokens to use. */
  readonly text: HeldOutText
  readonly tokens: number
  /** Norms to which the update is clipped first, by module; a module without one is not clipped. */
  readonly clip: Readonly<Record<string, number>>
  /** The loss without the update, if measured before. */
  readonly before: number | undefined
  /** As in {@link TrainingJob}. */
  readonly external?: { readonly trainer: string } | undefined
}

/** From the daemon to the trainer process. */
export type TrainerRequest =
  | { readonly type: 'train'; readonly job: TrainingJob }
  | { readonly type: 'cancel' }
  | { readonly type: 'measure'; readonly id: number; readonly job: MeasuringJob }
  | { readonly type: 'stopMeasuring'; readonly id: number }

/** From the trainer process to the daemon. */
export type TrainerAnswer =
  | ({ readonly type: 'progress' } & TrainingProgress)
  | ({ readonly type: 'done' } & TrainingResult)
  | { readonly type: 'cancelled' }
  | { readonly type: 'failed'; readonly reason: string }
  | { readonly type: 'measured'; readonly id: number; readonly loss: MeasuredLoss }
  | { readonly type: 'unmeasured'; readonly id: number; readonly reason: string }
