/** Between whom a corpus is divided, and by which chance. */
export interface PartitionOptions {
  /** Lists wanted, at least 1. */
  readonly members: number
  /** Any integer; equal arguments give equal lists. */
  readonly seed: number
}

/** For partitions that go by what a document is about. */
export interface LabelledPartitionOptions extends PartitionOptions {
  /** The class of every document, in the documents' order. */
  readonly labels: readonly string[]
}

/** Refuses numbers of members, documents and labels that do not go together. */
export function checkPartition(
  documents: readonly unknown[],
  { members, labels }: { readonly members: number; readonly labels?: readonly string[] }
): void {
  if (!Number.isSafeInteger(members) || members < 1) throw new RangeError(`${members} members cannot be`)
  if (documents.length < members)
    throw new RangeError(`${documents.length} documents are too few for ${members} members`)
  if (labels !== undefined && labels.length !== documents.length)
    throw new RangeError(`${labels.length} labels do not fit ${documents.length} documents`)
}
