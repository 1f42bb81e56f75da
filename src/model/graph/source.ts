import type { Operator } from './operator.ts'

function declared(name: string): Operator {
  return {
    name,
    infer: () => {
      throw new Error(`${name} is declared through the builder`)
    },
    onnx: () => {
      throw new Error(`${name} has no computation`)
    }
  }
}

/** A named value fed at every run. */
export const inputOperator = declared('Input')
/** A value fixed when the graph is built. */
export const constantOperator = declared('Constant')
