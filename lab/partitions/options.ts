/** Common options of partitions. */
export interface PartitionOptions {
  /** Number of lists, at least 1. */
  readonly members: number
  /** Any integer; equal arguments give equal lists. */
  readonly seed: number
}

/** Options of partitions by document class. */
export interface LabelledPartitionOptions extends PartitionOptions {
  /** The class of every document, in the documents' order. */
  readonly labels: readonly string[]
}

/** Rejects inconsistent numbers of members, documents and labels. */
export function checkPartition(
  documents: readonly unknown[],
  { members, labels }: { readonly members: number; readonly labels?: readonly string[] }
): void {
  if (!Number.isSafeInteger(members) || members < 1)
    throw new RangeError(`members must be a positive integer, got ${members}`)
  if (documents.length < members)
    throw new RangeError(`${documents.length} documents are too few for ${members} members`)
  if (labels !== undefined && labels.length !== documents.length)
    throw new RangeError(`${labels.length} labels for ${documents.length} documents`)
}
