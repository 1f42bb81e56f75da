import {
  type Aggregate,
  allFinite,
  type MergedModules,
  type TensorMap,
  weightOf
} from '../../adapter/index.ts'
import { type MergeThreads, sharedCopy } from './merge-threads.ts'

/**
 * Merges an aggregate into base weights, module by module on several threads: first the dense residual, where the rule
 * has one, then B·A. The bits are those of `mergeAdapter`.
 *
 * @param modules weights [out, in] by module name; not changed
 * @throws {AdapterError} when a module is missing or of another shape
 */
export async function mergeModules(
  modules: TensorMap,
  { adapter, residual }: Pick<Aggregate, 'adapter' | 'residual'>,
  threads: MergeThreads
): Promise<MergedModules> {
  const merged = new Map(modules)
  let finite = true
  for (const pair of adapter.pairs) {
    const weight = weightOf(modules, pair)
    const data = sharedCopy(weight.data)
    const dense = residual.get(pair.module)?.data
    if (dense !== undefined) for (let i = 0; i < data.length; i++) data[i] = data[i]! + dense[i]!
    await threads.merge(data, pair)
    finite &&= allFinite(data)
    merged.set(pair.module, { shape: weight.shape, data })
  }
  return { modules: merged, finite }
}
