import type { Clip, MemberWeights, ShardDtype } from '../../../adapter/index.ts'
import type { ListedFile } from '../../../formats/index.ts'
import type { ManifestShard } from '../../../protocol/index.ts'

/** A manifest's content as a job needs it; plain data, so that it can cross into a worker. */
export interface ShardSource {
  /** Bytes of the author's PeerId. */
  readonly author: Uint8Array
  readonly samples: number
  readonly dtype: ShardDtype
  readonly shards: readonly ManifestShard[]
}

/**
 * Largest Frobenius norm of ΔW that is endorsed, by module; a module that is not named has the absolute cap, which no
 * module's bound exceeds.
 */
export interface NormBounds {
  readonly absolute: number
  readonly byModule: Readonly<Record<string, number>>
}

/** Judge the blocks of one manifest (rule 2 *Validate*). */
export interface ValidateJob {
  readonly type: 'validate'
  readonly source: ShardSource
  readonly rankStabilised: boolean
  readonly bounds: NormBounds
}

/** Stack a cut, merge it, write both files. */
export interface BuildJob {
  readonly type: 'build'
  readonly sources: readonly ShardSource[]
  readonly rankStabilised: boolean
  /** What each source counts. */
  readonly weights: MemberWeights
  /** Whether updates are held to the cut's median norm. */
  readonly clip: Clip
  /** The charter's absolute norm cap: a source whose factors are beyond it is left out, whoever endorsed it. */
  readonly normCap: number
  /** Folder of the base model and the modules that may be adapted. */
  readonly baseFolder: string
  readonly modules: readonly string[]
  /** Merged modules that the round starts from; undefined for the base's own. */
  readonly modelFile: string | undefined
  readonly stackPath: string
  readonly modelPath: string
}

export type Job = ValidateJob | BuildJob

/** Blocks that a job needed and did not find whole; fetch them, then ask again. */
export interface MissingBlocks {
  readonly type: 'missing'
  /** Hex digests. */
  readonly digests: readonly string[]
}

export interface Validated {
  readonly type: 'validated'
  /** Why no honest member endorses it, or undefined. */
  readonly fault: string | undefined
}

/** A source that a build left out (rule 7 *Build is total*): anybody with its blocks and the charter finds the same. */
export interface LeftOut {
  /** Bytes of the author's PeerId. */
  readonly author: Uint8Array
  /** What is wrong with its shards, naming the module. */
  readonly reason: string
}

/** The outcome of a build; where a result was not finite nothing was written (rule 7 *Build is total*). */
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
