import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { choiceReport } from '../../../../src/cli/commands/eval/choice-report.ts'
import { readMultipleChoice } from '../../../../src/data/index.ts'
import { choiceRow } from '../../../../src/model/evaluate/choice-scorer.ts'
import {
  createChoiceScorer,
  createEvaluator,
  createOnnxRuntimeExecutor,
  createTextTokenizer,
  initialiseLlama
} from '../../../../src/model/index.ts'
import { TINY_CONFIG } from '../tiny-llama.ts'
import { BYTE_LEVEL_CONFIG, BYTE_LEVEL_TOKENIZER } from '../tokenizers.ts'

describe('choice scorer', () => {
  const tokenizer = createTextTokenizer(BYTE_LEVEL_TOKENIZER, BYTE_LEVEL_CONFIG)
  const [START, L, O, SPACE, HE, HELL] = [0, 3, 4, 5, 9, 10]

  it('puts a space before a choice, counts its tokens only, and truncates the context on the left', () => {
    const row = (context: string, choice: string, positions = 32, more: { delimiter?: string } = {}) =>
      choiceRow(tokenizer, positions, { context, source: 'x:1', ...more }, choice)
    assert.deepEqual(row('hello', 'he'), { ids: [START, HELL, O, SPACE, HE], scored: 2 })
    // A space at the end of the context belongs to the choice, in addition to the delimiter.
    assert.deepEqual(row('hello ', 'he', 32, { delimiter: '' }), row('hello', 'he'))
    assert.deepEqual(row('hello', ' he', 32, { delimiter: '' }), row('hello', 'he'))
    assert.deepEqual(row('hello ', 'he'), { ids: [START, HELL, O, SPACE, SPACE, HE], scored: 3 })
    // The delimiter stays where there is no context.
    assert.deepEqual(row('', 'hell'), { ids: [START, SPACE, HELL], scored: 2 })
    assert.deepEqual(row('', 'hell', 32, { delimiter: '' }), { ids: [START, HELL], scored: 1 })
    assert.deepEqual(row('hello', 'lo', 3), { ids: [O, SPACE, L, O], scored: 3 })
    assert.throws(() => row('hello', 'lololo', 3), /x:1: a choice of 7 tokens is longer than the model's 3/)
  })

  it('sums the log-probabilities of the evaluator', async () => {
    const weights = initialiseLlama(TINY_CONFIG, 2)
    const scorer = createChoiceScorer({
      config: TINY_CONFIG,
      tokenizer,
      executor: createOnnxRuntimeExecutor()
    })
    const questions = [
      { context: 'hello hello', choices: ['hell', 'o', 'hello hello'], answer: 0, source: 'x:1' },
      { context: 'o', choices: ['l', 'hello hello hello'], answer: 1, source: 'x:2' }
    ]
    const scores = await scorer.score(questions, weights)
    const evaluator = await createEvaluator({ config: TINY_CONFIG, context: 32 })
    for (const [index, question] of questions.entries()) {
      const { choices } = question
      for (const [place, choice] of choices.entries()) {
        const { ids, scored } = choiceRow(tokenizer, 32, question, choice)
        const { perToken } = await evaluator.score({ weights, ids })
        const sum = perToken.slice(-scored).reduce((total, { logProb }) => total + logProb!, 0)
        assert(Math.abs(scores[index]!.logProbabilities[place]! - sum) < 1e-4)
      }
      const { logProbabilities, chosen, chosenByByte, chosenByCharacter } = scores[index]!
      assert.equal(chosen, logProbabilities.indexOf(Math.max(...logProbabilities)))
      const byByte = logProbabilities.map((value, place) => value / choices[place]!.length)
      assert.equal(chosenByByte, byByte.indexOf(Math.max(...byByte)))
      // Plain ASCII: a character is a byte.
      assert.equal(chosenByCharacter, chosenByByte)
    }
    // Nearly uniform: the shortest choice has the best sum, and a long one the best score per byte.
    assert.notEqual(scores[0]!.chosen, 2)
    await evaluator.dispose()
    await scorer.dispose()
  })

  it('divides by characters for acc_norm and by bytes for acc_bytes, as lm-evaluation-harness does', async () => {
    const scorer = createChoiceScorer({
      config: TINY_CONFIG,
      tokenizer: {
        ...tokenizer,
        // A token a character, so that a longer choice costs more, whatever its bytes.
        encode: (text) => Array.from(text, (character) => (character === 'l' ? L : O))
      },
      executor: createOnnxRuntimeExecutor()
    })
    // Two characters in seven bytes against four in four: the tiny model finds all tokens about as likely.
    const choices = ['\u{1f40b}\u20ac', 'llll']
    const question = { context: 'o', choices, answer: 0, source: 'x:1' }
    const [found] = await scorer.score([question], initialiseLlama(TINY_CONFIG, 2))
    await scorer.dispose()
    const [whale, plain] = found!.logProbabilities as [number, number]
    assert.equal(found!.chosenByByte, whale / 7 > plain / 4 ? 0 : 1)
    assert.equal(found!.chosenByCharacter, whale / 2 > plain / 4 ? 0 : 1)
    assert.notEqual(found!.chosenByByte, found!.chosenByCharacter)
  })

  it('reports shares and their standard errors', () => {
    const question = { context: '', choices: ['a', 'b'], answer: 0, source: '' }
    const questions = [question, question, question, { ...question, answer: 1 }]
    const scores = [0, 0, 1, 1].map((chosen) => ({
      logProbabilities: [0, 0],
      chosen,
      chosenByCharacter: 0,
      chosenByByte: 1
    }))
    assert.deepEqual(choiceReport(questions, scores), {
      questions: 4,
      acc: 0.75,
      acc_stderr: 0.25,
      acc_norm: 0.75,
      acc_norm_stderr: 0.25,
      acc_bytes: 0.25,
      acc_bytes_stderr: 0.25
    })
    assert.equal(choiceReport([question], [scores[0]!]).acc_stderr, null)
  })

  it('reads questions, and names invalid ones', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'loam-choices-'))
    const read = async (...lines: object[]) => {
      const path = join(folder, 'q.jsonl')
      await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      return readMultipleChoice(path)
    }
    try {
      const choices = ['a', 'b', 'c']
      const found = await read(
        { question: 'Which?', choices, answer: 'B' },
        { context: 'It is', choices, answer: 2 },
        { context: '', choices, answer: '1' }
      )
      assert.deepEqual(
        found.map(({ context, answer }) => [context, answer]),
        [
          ['Question: Which?\nAnswer:', 1],
          ['It is', 2],
          ['', 1]
        ]
      )
      const fits = { question: 'q', choices, answer: 0 }
      await assert.rejects(
        read(fits, { ...fits, context: 'The passage.' }),
        /q\.jsonl:2: has both a context and a question: write the question into "context"/
      )
      for (const [key, cure] of [
        ['target_delimiter', '"delimiter"'],
        ['system', '"context"'],
        ['label', 'keep "answer" alone']
      ] as const)
        await assert.rejects(
          read({ ...fits, [key]: '' }),
          new RegExp(`q\\.jsonl:1: "${key}" is not supported in questions: .*${cure}`)
        )
      await assert.rejects(
        read(fits, { choices, answer: 0 }),
        /q\.jsonl:2: has neither a context nor a question/
      )
      await assert.rejects(read({ ...fits, choices: ['a'] }), /q\.jsonl:1: "choices"/)
      await assert.rejects(
        read({ ...fits, answer: 'D' }),
        /q\.jsonl:1: the answer D is not one of the 3 choices/
      )
      await assert.rejects(read({ ...fits, answer: 'the first' }), /q\.jsonl:1: "answer"/)
      await assert.rejects(read(), /contains no questions/)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
