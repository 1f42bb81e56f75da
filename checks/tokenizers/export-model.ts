import { ggufChunks } from '../../src/formats/index.ts'
import { loadBaseModel } from '../../src/model/index.ts'
import { ggufModel } from '../../src/node/export/gguf-model.ts'
import { tokenizerNotes } from '../../src/node/export/gguf-tokenizer.ts'
import { writeFileAtomic } from '../../src/node/storage/index.ts'

/** Writes a model folder as GGUF in float32, and reports its pre-tokenizer, or why it was not written. */
export async function exportModel(
  folder: string,
  path: string
): Promise<{ readonly pre: string; readonly notes: readonly string[] } | { readonly refused: string }> {
  const base = loadBaseModel(folder)
  let file: Awaited<ReturnType<typeof ggufModel>>
  try {
    file = await ggufModel(base, base.weights, 'judged', 'F32')
  } catch (error) {
    return { refused: (error as Error).message.replace(`${folder}/`, '') }
  }
  await writeFileAtomic(path, ggufChunks(file))
  const pre = file.metadata.get('tokenizer.ggml.pre')
  const model = file.metadata.get('tokenizer.ggml.model')
  return { pre: `${model?.value} ${pre?.value}`, notes: tokenizerNotes(folder) }
}
