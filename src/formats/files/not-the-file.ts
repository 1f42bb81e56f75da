/** Bytes of a file's beginning that suffice to recognise it. */
export const HEAD_BYTES = 512

/**
 * Recognises a file that replaced the intended one: a Git LFS pointer, or a web page saved by a download.
 *
 * @param head its first bytes
 * @returns the rest of a sentence that begins with the file's name, with what to do; undefined for any other file
 */
export function notTheFileItself(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, HEAD_BYTES)).toString('latin1')
  if (text.startsWith('version https://git-lfs.github.com/spec/'))
    return 'is a Git LFS pointer, not the file itself: run git lfs install and git lfs pull in that folder'
  if (/^\s*<(?:!doctype html|html)/i.test(text))
    return 'is a web page, not the file itself (a login or error page saved by a download): download it again'
  return undefined
}
