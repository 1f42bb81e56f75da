import { loadDomain } from '../../src/data/index.ts'
import { createSeededRandom } from '../../src/model/index.ts'

/** A question as `loam eval --choices` and the harness read it. */
export interface ChoiceLine {
  readonly context: string
  readonly choices: readonly string[]
  readonly answer: number
}

/** Questions of one format. */
export interface ChoiceFormat {
  readonly name: string
  readonly lines: readonly ChoiceLine[]
}

const LETTERS = ['A', 'B', 'C', 'D']

/**
 * Questions made from sentences of Moby-Dick, in the formats of the harness's tasks: endings (HellaSwag), answers to a
 * question (ARC), letters of listed answers (MMLU), and no context at all. Seeded, so they are the same each time.
 */
export async function choiceFormats(count: number): Promise<ChoiceFormat[]> {
  const { documents } = await loadDomain('moby-dick')
  const sentences = documents
    .flatMap(({ text }) => text.replace(/\s+/g, ' ').match(/[A-Z][^.!?]{40,160}[.!?]/g) ?? [])
    .filter((sentence) => sentence.split(' ').length > 8)
  const random = createSeededRandom(5)
  const draw = (below: number): number => Math.floor(random.uniform() * below)
  const questions = Array.from({ length: count }, (_, index) => {
    const words = sentences[(index * 37) % sentences.length]!.split(' ')
    const half = Math.floor(words.length / 2)
    const answer = draw(4)
    const endings = LETTERS.map((_letter, place) => {
      if (place === answer) return words.slice(half).join(' ')
      const other = sentences[draw(sentences.length)]!.split(' ')
      return other.slice(Math.floor(other.length / 2)).join(' ')
    })
    return { beginning: words.slice(0, half).join(' '), endings, answer }
  })
  const format = (
    name: string,
    context: (question: (typeof questions)[number]) => string,
    choices = (question: (typeof questions)[number]): readonly string[] => question.endings
  ): ChoiceFormat => ({
    name,
    lines: questions.map((question) => ({
      context: context(question),
      choices: choices(question),
      answer: question.answer
    }))
  })
  return [
    format('endings', ({ beginning }) => beginning),
    format('question-answer', ({ beginning }) => `Question: How does it go on? ${beginning} …\nAnswer:`),
    format(
      'letters',
      ({ beginning, endings }) =>
        `${beginning} …\n${endings.map((ending, place) => `${LETTERS[place]}. ${ending}`).join('\n')}\nAnswer:`,
      () => LETTERS
    ),
    format('no-context', () => ''),
    format('trailing-space', ({ beginning }) => `${beginning}\n`)
  ]
}
