import { runNamed } from '../scripts/build/run-named.ts'

runNamed({
  room: 'pretrain',
  url: import.meta.url,
  fallback: 'run',
  programs: {
    run: { summary: 'train the shipped base model again', file: './pretrain.js' },
    evaluate: { summary: 'score the base model beside n-gram models', file: './evaluate.js' },
    domains: {
      summary: "write the text of the testnet's domains from its packages",
      file: './pack-domains.js'
    },
    card: { summary: "write the base model's card", file: './model-card.js' }
  }
})
