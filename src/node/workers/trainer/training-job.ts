import type { ShardDtype } from '../../../adapter/index.ts'
import type { HeldOutLoss, ManifestShard } from '../../../protocol/index.ts'
import type { DataConfig, TrainingConfig } from '../../config/index.ts'

/** One round's local training, as the daemon asks for it. Plain data: it crosses into the trainer process. */
export interface TrainingJob {
  readonly round: number
  readonly baseFolder: string
  /** Merged modules that the round starts from; undefined for the base's own. */
  readonly modelFile: string | undefined
  /** File or folder of training documents, and how they are understood. */
  readonly documents: string
  readonly data: DataConfig
  /** Tokens of them that training does not see, for the held-out check; undefined where that has other text, or none. */
  readonly keptBack: number | undefined
  readonly modules: readonly string[]
  readonly rank: number
  readonly alpha: number
  /** Whether the scale is alpha / √rank, as the charter has it. */
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
  /** Element format in which the shards travel, as the charter has it. */
  readonly dtype: ShardDtype
  /** What this peer's last stacked shards left out, if there is such a file; what these leave out goes to `residualPath`. */
  readonly residualFile: string | undefined
  readonly residualPath: string
}

/** How far the training is. */
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

/** What came out; blocks and `local.safetensors` are on disk. */
export interface TrainingResult {
  readonly samples: number
  readonly shards: readonly TrainedShard[]
  readonly totalBytes: number
  /** Why `residualFile` could not be made up for; undefined where it was, or there is none. */
  readonly residualFault?: string | undefined
  /** What computed in place of the preferred executor, and why; only of the first round after the choice was made. */
  readonly fallback?: string | undefined
  /** What of the data is not trained on, or not as its author may think; told once. */
  readonly notes?: readonly string[]
}

/** A file of text, or the part of the training documents that training does not see. */
export type HeldOutText =
  | { readonly file: string }
  | { readonly documents: string; readonly data: DataConfig }

/** What one received update does to this peer's held-out loss (rule 2 *Validate*). Plain data, as a {@link TrainingJob}. */
export interface MeasuringJob {
  readonly baseFolder: string
  /** Merged modules that the round starts from; undefined for the base's own. */
  readonly modelFile: string | undefined
  /** Modules that the charter lets members adapt. */
  readonly modules: readonly string[]
  readonly rankStabilised: boolean
  readonly training: TrainingConfig
  /** Home folder, for the blocks. */
  readonly home: string
  readonly dtype: ShardDtype
  readonly shards: readonly ManifestShard[]
  /** The held-out text, and how many tokens of it count. */
  readonly text: HeldOutText
  readonly tokens: number
  /** Norms to which the update is clipped first, by module; a module without one is not clipped. */
  readonly clip: Readonly<Record<string, number>>
  /** The loss without the update, where it was measured before. */
  readonly before: number | undefined
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
  | { readonly type: 'measured'; readonly id: number; readonly loss: HeldOutLoss }
  | { readonly type: 'unmeasured'; readonly id: number; readonly reason: string }
