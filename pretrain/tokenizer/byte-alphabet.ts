/**
 * The 256 characters by which byte-level BPE writes bytes (GPT-2's convention, which every tokenizer.json reader knows):
 * printable Latin-1 characters stand for themselves, the other bytes, in order, for U+0100 and on.
 */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters()

function byteCharacters(): string[] {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
    return String.fromCodePoint(printable ? byte : next++)
  })
}
