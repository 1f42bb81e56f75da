import { runNamed } from '../scripts/build/run-named.ts'

runNamed({
  room: 'pretrain',
  url: import.meta.url,
  fallback: 'run',
  programs: {
    run: { summary: 'retrain the shipped base model', file: './training/train.js' },
    evaluate: { summary: 'score models and compare them with n-gram models', file: './scoring/evaluate.js' },
    domains: {
      summary: "write the text of the testnet's domains from its packages",
      file: './corpus/pack-domains.js'
    },
    card: { summary: "write a model's card", file: './model-card/write-model-card.js' },
    texts: {
      summary: 'fetch the additional texts for the larger model',
      file: './corpus/added-texts/fetch-added-texts.js'
    },
    tokens: { summary: 'write all text as token files for PyTorch', file: './corpus/export-tokens.js' },
    assemble: { summary: "create a model folder from PyTorch's output", file: './assemble/assemble.js' },
    logits: { summary: 'write logits for PyTorch to compare', file: './scoring/dump-logits.js' }
  }
})
