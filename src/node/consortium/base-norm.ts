import { type BaseModel, expandTargetModules } from '../../model/index.ts'

/**
 * The lower median over the adapted modules of the base weight's Frobenius norm: a bound on an update's norm in a round
 * that has no cut before it to be measured by. Ten local steps at rank 64 reach a quarter of a weight's norm
 * (docs/results/README.md); an update as large as the weight itself is a fault or an attack.
 *
 * @param targetModules full names or endings
 */
export function baseNorm(base: BaseModel, targetModules: readonly string[]): number {
  const norms = expandTargetModules(base.config, targetModules).map((module) => {
    let sum = 0
    for (const element of base.weights.get(`${module}.weight`)!.data) sum += element * element
    return Math.sqrt(sum)
  })
  return norms.sort((left, right) => left - right)[Math.floor((norms.length - 1) / 2)]!
}
