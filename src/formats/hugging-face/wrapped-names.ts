/** Segments that PyTorch inserts into module names when a model is compiled, sharded or checkpointed. */
const WRAPPERS = /(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)/g

/** A tensor's name without the segments that PyTorch's wrappers add. */
export function unwrappedName(name: string): string {
  return name.replace(WRAPPERS, '').replace(/^\./, '')
}
