import { Command } from 'commander'
import { addFlags, givenFlags } from '../../options/setting-flags.ts'
import { loadTrainSettings, TRAIN_SETTINGS } from './settings.ts'

interface TrainFlags {
  readonly config?: string
  readonly resume?: boolean
  readonly overwrite?: boolean
  readonly json?: boolean
}

/** `loam train`: fine-tunes a LoRA adapter on this machine, without a network. */
export function trainCommand(): Command {
  const command = new Command('train')
  return addFlags(command, TRAIN_SETTINGS)
    .option('--resume', 'continue from the checkpoint in --out; start from scratch if there is none')
    .option('--overwrite', 'start from scratch, and replace what an earlier run left in --out')
    .option(
      '--config <file>',
      'JSON file with these settings in camelCase, and template, rankPattern and alphaPattern; flags override it'
    )
    .option('--json', 'print one JSON object: { "out", "adapterDigest", "steps", "loss", "heldOutLoss", … }')
    .addHelpText(
      'after',
      `
The keys of a record determine its format: text; instruction, input, output
(Alpaca); instruction, context, response (Dolly); conversations (ShareGPT);
messages; prompt, completion. For other records, put a template into the config
file:
  { "template": { "prompt": "Q: {question}\\nA: ", "completion": "{answer}" } }

The same data, settings, seed and executor give a bit-identical adapter on one
machine, with any number of threads and however often the run was interrupted
and resumed.

Examples:
  $ loam train --data notes/ --out my-adapter --steps 200
  $ loam train --model models/tinyllama --data alpaca.jsonl --out out \\
      --epochs 3 --held-out 0.05 --eval-every 50 --patience 3
  $ loam generate --adapter my-adapter --prompt "Dear colleagues,"`
    )
    .action(async (flags: TrainFlags) => {
      const settings = await loadTrainSettings(
        flags.config,
        givenFlags(command, { ...flags }, TRAIN_SETTINGS)
      )
      const { runTraining } = await import('./run-training.ts')
      await runTraining(settings, flags)
    })
}
