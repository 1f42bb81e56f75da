import { createContext, Script } from 'node:vm'

/** Texts up to this length are encoded without a limit: even a pattern of the fourth power is done with them in time. */
const SHORT_TEXT = 512
/** Time for any text, and more for each character: far above what honest patterns need on a busy machine. */
const BASE_MS = 10_000
const MS_PER_CHARACTER = 0.1

const context: { work: (() => unknown) | undefined } = { work: undefined }
createContext(context)
const script = new Script('work()')

/**
 * Runs something that blocks, and ends it where it takes too long: inside a regular expression too, whose backtracking
 * nothing else in this thread could end. Costs a fraction of a millisecond.
 *
 * @throws whatever the work throws
 * @returns undefined for work that took longer
 */
function runLimited<Result>(
  work: () => Result,
  milliseconds: number
): { readonly result: Result } | undefined {
  const before = context.work
  context.work = work
  try {
    return { result: script.runInContext(context, { timeout: milliseconds }) as Result }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined
    throw error
  } finally {
    context.work = before
  }
}

/**
 * An encoder that gives up on a text: what {@link patternFault} lets through takes polynomial time, which is long for a
 * long text that was made for it.
 *
 * @param limitMs by the length of the text
 * @throws {Error} from the encoder, for a text that takes longer
 */
export function limitedEncoder(
  encode: (text: string) => number[],
  limitMs: (length: number) => number = (length) => Math.ceil(BASE_MS + MS_PER_CHARACTER * length)
): (text: string) => number[] {
  return (text) => {
    const { length } = text
    if (length <= SHORT_TEXT) return encode(text)
    const milliseconds = limitMs(length)
    const done = runLimited(() => encode(text), milliseconds)
    if (done === undefined)
      throw new Error(
        `tokenizing a text of ${length} characters took more than ${milliseconds / 1_000} s: a pattern of tokenizer.json takes too long on it. Take the tokenizer that the model was published with, or leave out the text, which begins with ${JSON.stringify(text.slice(0, 40))}`
      )
    return done.result
  }
}
