import { z } from 'zod'
import { DataError } from './example.ts'
import { readRecords } from './record-files.ts'

/** A question with choices, one of which is right. */
export interface MultipleChoice {
  /** The text before the choices. */
  readonly context: string
  readonly choices: readonly string[]
  /** The text between the context and a choice; a space if absent. */
  readonly delimiter?: string
  /** Index of the right choice. */
  readonly answer: number
  /** Its place, `file:line`. */
  readonly source: string
}

const schema = z
  .looseObject({
    context: z.string().optional(),
    question: z.string().optional(),
    delimiter: z.string().optional(),
    choices: z.array(z.string().min(1)).min(2),
    answer: z.union([
      z.int().nonnegative(),
      z.string().regex(/^\s*([A-Za-z]|\d+)\s*$/, 'is neither an index nor a letter')
    ])
  })
  .refine(
    ({ context, question }) => (context ?? question) !== undefined,
    'has neither a context nor a question'
  )

/** Keys that would change what is scored, with what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  target_delimiter: 'write it as "delimiter"',
  ...Object.fromEntries(
    ['system', 'system_prompt', 'messages', 'fewshot', 'few_shot', 'examples', 'description', 'passage'].map(
      (key) => [key, 'write it into "context"']
    )
  ),
  ...Object.fromEntries(
    ['label', 'gold', 'answerKey', 'correct', 'target'].map((key) => [key, 'keep "answer" alone'])
  )
}

/** What is wrong with a question's keys; undefined if nothing is. */
function keyFault(record: object): string | undefined {
  const refused = Object.keys(record).find((key) => Object.hasOwn(REFUSED, key))
  if (refused !== undefined) return `"${refused}" is not supported in questions: ${REFUSED[refused]}`
  if ('context' in record && 'question' in record)
    return 'has both a context and a question: write the question into "context", which is used unchanged'
  return undefined
}

/**
 * Reads questions from JSONL: `context` (used unchanged) or `question` (rendered as "Question: …\nAnswer:"), `choices`,
 * `answer` as an index from 0 or a letter from A, and `delimiter`, a space if absent.
 *
 * @throws {DataError} naming file and line of an invalid record
 */
export async function readMultipleChoice(path: string): Promise<MultipleChoice[]> {
  const questions: MultipleChoice[] = []
  for await (const { record, source, fault } of readRecords(path)) {
    if (fault !== undefined) throw new DataError(`${source}: ${fault}`)
    const parsed = schema.safeParse(record)
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      throw new DataError(
        `${source}: ${issue?.path.length ? `"${issue.path.join('.')}": ` : ''}${issue?.message}`
      )
    }
    const wrong = keyFault(parsed.data)
    if (wrong !== undefined) throw new DataError(`${source}: ${wrong}`)
    const { context, question, choices, delimiter = ' ' } = parsed.data
    const answer = answerIndex(parsed.data.answer)
    if (answer >= choices.length)
      throw new DataError(
        `${source}: the answer ${parsed.data.answer} is not one of the ${choices.length} choices`
      )
    questions.push({
      context: context ?? `Question: ${question}\nAnswer:`,
      choices,
      delimiter,
      answer,
      source
    })
  }
  if (questions.length === 0) throw new DataError(`${path} contains no questions`)
  return questions
}

function answerIndex(answer: number | string): number {
  if (typeof answer === 'number') return answer
  const text = answer.trim()
  return /^\d+$/.test(text) ? Number(text) : text.toUpperCase().charCodeAt(0) - 'A'.charCodeAt(0)
}
