/**
 * The prompt used to train on Alpaca's instruction data (Taori et al. 2023), and FLoRA's experiments after it.
 *
 * @param input further context; omitted if blank
 */
export function alpacaPrompt(instruction: string, input: string): string {
  if (input.trim() === '')
    return (
      'Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n' +
      `### Instruction:\n${instruction}\n\n### Response:\n`
    )
  return (
    'Below is an instruction that describes a task, paired with an input that provides further context. ' +
    'Write a response that appropriately completes the request.\n\n' +
    `### Instruction:\n${instruction}\n\n### Input:\n${input}\n\n### Response:\n`
  )
}
