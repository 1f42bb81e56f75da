/** Enough of a file to recognise what it is. */
export const HEAD_BYTES = 512

/**
 * What a file is that stands in for the one that was meant: Git LFS's pointer, or a web page that a download saved.
 *
 * @param head its first bytes
 * @returns the end of a sentence that begins with the file's name, and what to do; undefined for any other file
 */
export function notTheFileItself(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, HEAD_BYTES)).toString('latin1')
  if (text.startsWith('version https://git-lfs.github.com/spec/'))
    return 'is a pointer of Git LFS, not the file itself: run git lfs install and git lfs pull in that folder'
  if (/^\s*<(?:!doctype html|html)/i.test(text))
    return 'is a web page, not the file itself (a login or an error, saved by a download): download it again'
  return undefined
}
