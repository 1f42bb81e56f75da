import assert from 'node:assert/strict'
import { operators } from '../../../../src/model/graph/index.ts'
import { assertClose } from '../close.ts'
import { evaluateWithGradients } from './evaluate-graph.ts'
import { inputsOf, OPERATOR_CASES } from './operator-cases.ts'

describe('graph operators', () => {
  for (const [index, operatorCase] of OPERATOR_CASES.entries()) {
    const { operator, what, shapes, build, reference } = operatorCase
    it(`${operator}${what ? `, ${what}` : ''}: value and gradient`, async () => {
      const values = inputsOf(operatorCase, index)
      const { value, loss, gradients, lossAt, dispose } = await evaluateWithGradients(shapes, values, build)
      const expected = reference(...values)
      assertClose(value, expected, 2e-6, 'value')
      assert.ok(Number.isFinite(loss))
      const step = 1e-2
      for (const [input, gradient] of gradients.entries()) {
        const numeric: number[] = []
        for (let element = 0; element < gradient.length; element++) {
          const at = (shift: number): Promise<number> =>
            lossAt(values.map((data, i) => (i === input ? data.with(element, data[element]! + shift) : data)))
          numeric.push(((await at(step)) - (await at(-step))) / (2 * step))
        }
        assertClose(gradient, numeric, 2e-3, `gradient of input ${input}`, 0.1)
      }
      await dispose()
    })
  }

  it('every operator of the table is covered above', () => {
    const tried = new Set(OPERATOR_CASES.map(({ operator }) => operator))
    assert.deepEqual(
      Object.keys(operators).filter((name) => !tried.has(name)),
      []
    )
  })
})
