/**
 * The 256 characters that represent bytes in byte-level BPE (GPT-2's convention, which every tokenizer.json reader
 * supports): printable Latin-1 characters represent themselves, and the other bytes map, in order, to U+0100 and up.
 */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters()

function byteCharacters(): string[] {
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
    return String.fromCodePoint(printable ? byte : next++)
  })
}
