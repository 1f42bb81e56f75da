import assert from 'node:assert/strict'
import fc from 'fast-check'
import { lowerings } from '../../../../src/model/executor/tfjs/lowerings/index.ts'
import { operators } from '../../../../src/model/graph/index.ts'
import { createOnnxRuntimeExecutor, createSeededRandom, type Executor } from '../../../../src/model/index.ts'
import { assertClose } from '../close.ts'
import { evaluateWithGradients } from '../graph/evaluate-graph.ts'
import { inputsFor, OPERATOR_USES, type OperatorUse } from '../graph/operator-arbitraries.ts'
import { inputsOf, OPERATOR_CASES } from '../graph/operator-cases.ts'
import { EXECUTORS_HERE, titleOf } from './executors.ts'

/** TensorFlow.js approximates erf by a polynomial; the others are closer. */
const VALUE_TOLERANCE = 5e-6
const GRADIENT_TOLERANCE = 1e-5
/** Uses of each operator that are tried on each executor. */
const USES = 4

/** Asserts that the gradients predict the change of the loss along a random direction. */
async function assertFiniteDifference(executor: Executor, use: OperatorUse, from: number): Promise<void> {
  const values = inputsFor(use, from)
  const { gradients, lossAt, dispose } = await evaluateWithGradients(use.shapes, values, use.build, executor)
  const random = createSeededRandom(from + 1)
  const direction = values.map((data) => data.map(() => (random.uniform() < 0.5 ? -1 : 1)))
  const step = 1e-2
  const at = (distance: number) =>
    lossAt(values.map((data, input) => data.map((x, i) => x + distance * direction[input]![i]!)))
  const numeric = ((await at(step)) - (await at(-step))) / (2 * step)
  const terms = gradients.flatMap((gradient, input) => [...gradient.map((g, i) => g * direction[input]![i]!)])
  const foreseen = terms.reduce((sum, term) => sum + term, 0)
  const scale = terms.reduce((sum, term) => sum + Math.abs(term), 0.1)
  assert.ok(Math.abs(numeric - foreseen) <= 5e-3 * scale, `${foreseen} by the gradients, ${numeric} by steps`)
  await dispose()
}

describe('every operator on every executor', function () {
  this.timeout(120_000)

  for (const executor of EXECUTORS_HERE) {
    describe(titleOf(executor), () => {
      if (executor.name !== 'onnxruntime') {
        it('matches values and gradients of onnxruntime', async () => {
          const native = createOnnxRuntimeExecutor()
          for (const [index, operatorCase] of OPERATOR_CASES.entries()) {
            const { operator, what = '', shapes, build, reference } = operatorCase
            const values = inputsOf(operatorCase, index)
            const expected = await evaluateWithGradients(shapes, values, build, native)
            const found = await evaluateWithGradients(shapes, values, build, executor)
            const title = `${operator} ${what}`
            assertClose(found.value, reference(...values), VALUE_TOLERANCE, `${title}: value`)
            assertClose([found.loss], [expected.loss], VALUE_TOLERANCE, `${title}: loss`, 1)
            for (const [input, gradient] of expected.gradients.entries())
              assertClose(found.gradients[input]!, gradient, GRADIENT_TOLERANCE, `${title}: d${input}`)
            await expected.dispose()
            await found.dispose()
          }
        })
      }

      for (const [operator, uses] of Object.entries(OPERATOR_USES)) {
        it(`${operator}: the gradient is the derivative of the value, for any shapes`, () =>
          fc.assert(
            fc.asyncProperty(uses, fc.nat(1_000_000), (use, from) =>
              assertFiniteDifference(executor, use, from)
            ),
            { numRuns: USES }
          ))
      }
    })
  }

  it('every operator of the table is covered', () => {
    const names = Object.keys(operators)
    assert.deepEqual(
      names.filter((name) => !(name in OPERATOR_USES)),
      [],
      'without arbitrary uses'
    )
    const unknown = names.filter((name) => !(name in lowerings) && !operators[name]!.decompose)
    assert.deepEqual(unknown, [], 'with neither a form in TensorFlow.js nor parts')
  })
})
