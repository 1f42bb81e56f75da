import { unwrappedName } from '../../formats/hugging-face/wrapped-names.ts'

const HEAD = 'lm_head.'
/** The prefix of a model's names, also within a larger model: `language_model.model.layers.0`. */
const BARE = 'model.'

/**
 * Maps a checkpoint's tensors to parameters, whatever wrapped the model when it was saved: bare names (`layers.0…`), a
 * prefix that all names share (`module.model.layers.0…`), or wrappers inside them.
 *
 * @param names of all tensors of the checkpoint
 * @returns the parameter's name of each of them; for a tensor that is not a parameter, some other name
 */
export function parameterNames(
  { prefix, landmark }: { readonly prefix: string; readonly landmark: string },
  names: readonly string[]
): (name: string) => string {
  const found = names.map(unwrappedName).filter((name) => name === landmark || name.endsWith(`.${landmark}`))
  const [first] = found
  // Two models in one checkpoint: choose neither.
  if (first === undefined || found.length > 1) return unwrappedName
  const root = first.slice(0, -landmark.length)
  const own = [prefix, BARE].find((each) => root.endsWith(each)) ?? ''
  const outer = root.slice(0, root.length - own.length)
  return (name) => {
    const short = unwrappedName(name)
    if (short.startsWith(HEAD)) return short
    if (short.startsWith(outer + HEAD)) return short.slice(outer.length)
    return short.startsWith(root) ? prefix + short.slice(root.length) : short
  }
}
