import type { GraphNode } from './graph.ts'

type Provider = Pick<GraphNode, 'attributes'>

/** The number that an operator was given under `name`. */
export function numberAttribute({ attributes }: Provider, name: string): number {
  const value = attributes[name]
  if (typeof value !== 'number') throw new Error(`attribute ${name} is not a number`)
  return value
}

/** The flag that an operator was given under `name`; false if there is none. */
export function flagAttribute({ attributes }: Provider, name: string): boolean {
  return attributes[name] === true
}

/** The list of numbers that an operator was given under `name`. */
export function listAttribute({ attributes }: Provider, name: string): readonly number[] {
  const value = attributes[name]
  if (typeof value !== 'object') throw new Error(`attribute ${name} is not a list of numbers`)
  return value
}

/** The text that an operator was given under `name`. */
export function textAttribute({ attributes }: Provider, name: string): string {
  const value = attributes[name]
  if (typeof value !== 'string') throw new Error(`attribute ${name} is not text`)
  return value
}
