/** Lets each note on the data through once: a filter for the notes of one round after the other. */
export function newNotes(): (notes: readonly string[]) => string[] {
  const said = new Set<string>()
  return (notes) => {
    const fresh = notes.filter((note) => !said.has(note))
    for (const note of fresh) said.add(note)
    return fresh
  }
}
