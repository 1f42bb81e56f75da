import { type LoraAdapter, loraScale } from '../../../../adapter/index.ts'
import type { LinearModule } from '../../../../model/index.ts'
import type { TrainingJob } from '../training-job.ts'

/** The requested adapter. */
type Asked = Pick<TrainingJob, 'modules' | 'rank' | 'alpha' | 'rankStabilised'>

/** Scales may differ by the rounding of one product. */
const SCALE_TOLERANCE = 1e-9

/**
 * Checks that a trainer's adapter matches the request: modules, shapes, rank and scale.
 *
 * @param found with the plain scale alpha / rank
 * @param linear the base model's modules by name
 * @returns the adapter with the requested alpha
 * @throws {Error} naming the first difference
 */
export function requireAskedAdapter(
  found: LoraAdapter,
  { modules, rank, alpha, rankStabilised }: Asked,
  linear: ReadonlyMap<string, Pick<LinearModule, 'inFeatures' | 'outFeatures'>>
): LoraAdapter {
  const missing = modules.filter((module) => !found.pairs.some((pair) => pair.module === module))
  if (missing.length > 0) throw new Error(`the adapter has no factors for ${listed(missing)}`)
  const foreign = found.pairs.filter(({ module }) => !modules.includes(module))
  if (foreign.length > 0)
    throw new Error(
      `the adapter has factors for ${listed(foreign.map(({ module }) => module))}, which are not in the charter`
    )
  const scale = loraScale({ rank, alpha }, rankStabilised)
  for (const pair of found.pairs) {
    const { inFeatures, outFeatures } = linear.get(pair.module)!
    if (pair.rank !== rank) throw new Error(`${pair.module} has rank ${pair.rank}, expected ${rank}`)
    if (pair.inFeatures !== inFeatures || pair.outFeatures !== outFeatures)
      throw new Error(
        `${pair.module} has factors for ${pair.outFeatures} × ${pair.inFeatures}, but the base has ${outFeatures} × ${inFeatures}`
      )
    if (Math.abs(loraScale(pair) - scale) > SCALE_TOLERANCE * scale)
      throw new Error(
        `${pair.module} has scale ${loraScale(pair)}, expected ${scale}: lora_alpha must be ${alpha}${rankStabilised ? ', with use_rslora' : ', without use_rslora'}`
      )
  }
  return { pairs: found.pairs.map((pair) => ({ ...pair, alpha })) }
}

const LISTED = 3

function listed(modules: readonly string[]): string {
  const more = modules.length - LISTED
  return modules.slice(0, LISTED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}
