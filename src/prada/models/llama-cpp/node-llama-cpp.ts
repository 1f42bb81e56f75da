import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { installCommand, installPlace } from '../../../model/executor/install-command.ts'

/** Why a GGUF file cannot be run. */
export class LlamaCppError extends Error {
  override readonly name = 'LlamaCppError'
}

/** The part of node-llama-cpp that is used. It is an optional peer dependency, so its types may be missing. */
export interface NodeLlamaCpp {
  getLlama(options: object): Promise<Llama>
}

export interface Llama {
  loadModel(options: object): Promise<LlamaModel>
  dispose(): Promise<void>
}

export interface LlamaModel {
  readonly trainContextSize: number
  readonly fileInfo: { readonly metadata: { readonly tokenizer?: { readonly ggml?: unknown } } }
  createContext(options: object): Promise<LlamaContext>
  dispose(): Promise<void>
}

export interface LlamaContext {
  getSequence(): LlamaSequence
  dispose(): Promise<void>
}

type EvaluatedToken = number | readonly [number, { readonly generateNext: { readonly logits: true } }]

export interface LlamaSequence {
  controlledEvaluate(
    input: readonly EvaluatedToken[]
  ): Promise<readonly ({ readonly next: { readonly logits?: ReadonlyMap<number, number> } } | undefined)[]>
  clearHistory(): Promise<void>
  eraseContextTokenRanges(ranges: readonly { readonly start: number; readonly end: number }[]): Promise<void>
}

/**
 * Loads node-llama-cpp from `folder`, or resolves it from Loam's location by default.
 *
 * @throws {LlamaCppError} with the command that installs it
 */
export async function loadNodeLlamaCpp(folder: string | undefined): Promise<NodeLlamaCpp> {
  try {
    if (folder === undefined) {
      const name = 'node-llama-cpp'
      return (await import(name)) as NodeLlamaCpp
    }
    const entry = createRequire(join(resolve(folder), 'package.json')).resolve('./dist/index.js')
    return (await import(pathToFileURL(entry).href)) as NodeLlamaCpp
  } catch (cause) {
    throw new LlamaCppError(
      `node-llama-cpp, which runs GGUF files, cannot be loaded: ${(cause as Error).message.split('\n')[0]}. Install it: ${command()}`,
      { cause }
    )
  }
}

/** `npm ci` in a clone does not install it, since it is not a development dependency either. */
function command(): string {
  const place = installPlace()
  const text = installCommand('node-llama-cpp', {
    place: place.kind === 'clone' ? { ...place, kind: 'project' } : place
  })
  return place.kind === 'clone' ? text.replace('npm install', 'npm install --no-save') : text
}
