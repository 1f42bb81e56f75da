import type { Clip, MemberWeights, ShardDtype } from '../../../adapter/index.ts'
import type { ListedFile } from '../../../formats/index.ts'
import type { ManifestShard } from '../../../protocol/index.ts'

/** A manifest's content for a job; plain data that can be sent to a worker. */
export interface ShardSource {
  /** Bytes of the author's PeerId. */
  readonly author: Uint8Array
  readonly samples: number
  readonly dtype: ShardDtype
  readonly shards: readonly ManifestShard[]
}

/** Largest endorsed Frobenius norm of ΔW, by module; other modules have the absolute cap, which no bound exceeds. */
export interface NormBounds {
  readonly absolute: number
  readonly byModule: Readonly<Record<string, number>>
}

/** Validates the blocks of one manifest (rule 2 *Validate*). */
export interface ValidateJob {
  readonly type: 'validate'
  readonly source: ShardSource
  readonly rankStabilised: boolean
  readonly bounds: NormBounds
}

/** Shapes of modules, by module. */
export type Shapes = Readonly<Record<string, Pick<ManifestShard, 'inFeatures' | 'outFeatures'>>>

/** Stacks a cut, merges it and writes both files. */
export interface BuildJob {
  readonly type: 'build'
  readonly sources: readonly ShardSource[]
  readonly rankStabilised: boolean
  /** The sources' weights. */
  readonly weights: MemberWeights
  /** Whether updates are clipped to the cut's median norm. */
  readonly clip: Clip
  /** The charter's absolute norm cap: a source whose factors exceed it is left out, regardless of endorsements. */
  readonly normCap: number
  /** The base model's folder, and the modules that may be adapted. */
  readonly baseFolder: string
  readonly modules: readonly string[]
  /** Their shapes in the charter, by module: a source with a shard of another shape is left out. */
  readonly shapes?: Shapes
  /** Merged modules that the round starts from; undefined for the base's own. */
  readonly modelFile: string | undefined
  readonly stackPath: string
  readonly modelPath: string
}

export type Job = ValidateJob | BuildJob

/** Missing or damaged blocks that a job needs; fetch them, then retry. */
export interface MissingBlocks {
  readonly type: 'missing'
  /** Hex digests. */
  readonly digests: readonly string[]
}

export interface Validated {
  readonly type: 'validated'
  /** Why it must not be endorsed, or undefined. */
  readonly fault: string | undefined
}

/** A source that a build left out (rule 7 *Build is total*); the same on every peer with its blocks and the charter. */
export interface LeftOut {
  /** Bytes of the author's PeerId. */
  readonly author: Uint8Array
  /** The fault in its shards, with the module. */
  readonly reason: string
}

/** The outcome of a build; if a result is not finite nothing is written (rule 7 *Build is total*). */
export type Built =
  | BuiltFiles
  | { readonly type: 'built'; readonly finite: false; readonly leftOut: readonly LeftOut[] }

/** A stack and a model that were written. */
export interface BuiltFiles {
  readonly type: 'built'
  readonly finite: true
  /** Digest of the stack's file, hex. */
  readonly stack: string
  /** Digest of the block list of the model's file, hex. */
  readonly model: string
  readonly modelFile: ListedFile
  /** Lower median over the cut of the Frobenius norm of ΔW, by module. */
  readonly medianNorms: Readonly<Record<string, number>>
  readonly leftOut: readonly LeftOut[]
}

export type JobResult = MissingBlocks | Validated | Built
