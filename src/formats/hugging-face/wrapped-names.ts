/** Segments that PyTorch puts into the names of modules that were compiled, sharded or recomputed. */
const WRAPPERS = /(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)/g

/** The name of a tensor without what wrappers of PyTorch add to it. */
export function unwrappedName(name: string): string {
  return name.replace(WRAPPERS, '').replace(/^\./, '')
}
