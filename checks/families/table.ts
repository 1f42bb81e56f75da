import type { EngineErrors } from './engine-errors.ts'

/** One model of the table. */
export interface Row extends EngineErrors {
  readonly family: string
  readonly name: string
  readonly merged: number | undefined
  readonly peft: number | undefined
  readonly ggufModel: number | undefined
  readonly ggufAdapter: number | undefined
  /** Why there is no GGUF file of the whole model. */
  readonly refusal: string | undefined
}

const HEAD = `# Families of models

Tiny models that transformers saved itself (\`checks/vectors/family-vectors.py\`), with settings that show: windows shorter than the text, soft caps that bite, rotations beyond the original length. \`npm run check -- families\` writes this page.

- **logits, gradients**: largest difference from transformers and PEFT, in parts of the largest element, over all executors (onnxruntime, onnxruntime-web, tfjs). The target is 1e-4.
- **greedy, modules**: whether generated texts, and the modules of PEFT's \`all-linear\`, are the same. Of a model for images too, the modules are those of the text model.
- **merged, PEFT**: what transformers and PEFT compute with the exported folders, against Loam; **GGUF model, GGUF adapter**: what llama.cpp computes. Largest difference of a token's log-probability, nats. llama.cpp reads GELU from a table of float16, which shows in Gemma.
- \`–\`: not there, or not comparable; below the table is why.

| family | model | logits | gradients | greedy | modules | merged | PEFT | GGUF model | GGUF adapter |
|---|---|---|---|---|---|---|---|---|---|
`

const REFUSED = `
## What is refused

- Other \`model_type\`s, among them those with experts (Mixtral, Qwen3-MoE, gpt-oss, Granite with experts), with state-space or linear-attention layers (Granite 4 hybrid, Qwen3-Next, Qwen3.5) and with latent attention (DeepSeek), by \`model_type\`, \`num_local_experts\` or \`layer_types\`.
- Settings of these families that transformers' code computes and Loam does not, by the key of config.json; keys that Loam does not know, by name.
- Tensors that no parameter takes, by name. Of Gemma 3 and Mistral 3 with images, the parts for images are left alone.
- A generated text ends at \`max_position_embeddings\`; dynamic rotations, which change beyond it, are trained beyond it only.
- GGUF files of whole models where llama.cpp computes something else:
`

/** The page with the table. */
export function tableOf(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const cells = [
      ...[row.family, row.name, error(row.logits), error(row.gradients), same(row.greedy), same(row.modules)],
      ...[error(row.merged), error(row.peft), error(row.ggufModel), error(row.ggufAdapter)]
    ]
    return `| ${cells.join(' | ')} |`
  })
  const refusals = rows.flatMap(({ name, refusal }) =>
    refusal === undefined ? [] : [`  - ${name}: ${refusal}`]
  )
  return `${HEAD}${lines.join('\n')}\n${REFUSED}${refusals.join('\n')}\n`
}

function error(value: number | undefined): string {
  return value === undefined ? '–' : value.toExponential(0)
}

function same(value: boolean | undefined): string {
  return value === undefined ? '–' : value ? 'same' : 'DIFFERENT'
}
