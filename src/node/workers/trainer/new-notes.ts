/** Creates a filter for the notes of successive rounds that passes each note once. */
export function newNotes(): (notes: readonly string[]) => string[] {
  const said = new Set<string>()
  return (notes) => {
    const fresh = notes.filter((note) => !said.has(note))
    for (const note of fresh) said.add(note)
    return fresh
  }
}
