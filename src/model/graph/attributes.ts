import type { GraphNode } from './graph.ts'

type Provider = Pick<GraphNode, 'attributes'>

/** An operator's number attribute `name`. */
export function numberAttribute({ attributes }: Provider, name: string): number {
  const value = attributes[name]
  if (typeof value !== 'number') throw new Error(`attribute ${name} is not a number`)
  return value
}

/** An operator's flag attribute `name`; false if absent. */
export function flagAttribute({ attributes }: Provider, name: string): boolean {
  return attributes[name] === true
}

/** An operator's list attribute `name`. */
export function listAttribute({ attributes }: Provider, name: string): readonly number[] {
  const value = attributes[name]
  if (typeof value !== 'object') throw new Error(`attribute ${name} is not a list of numbers`)
  return value
}

/** An operator's text attribute `name`. */
export function textAttribute({ attributes }: Provider, name: string): string {
  const value = attributes[name]
  if (typeof value !== 'string') throw new Error(`attribute ${name} is not text`)
  return value
}
