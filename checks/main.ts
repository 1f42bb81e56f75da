import { runNamed } from '../scripts/build/run-named.ts'

runNamed({
  room: 'check',
  url: import.meta.url,
  programs: {
    exports: {
      summary: 'llama.cpp and PyTorch compute with exported adapters',
      file: './exports/judge-exports.js'
    },
    choices: {
      summary: 'lm-evaluation-harness finds the same accuracies of multiple-choice questions',
      file: './choices/check-choices.js'
    },
    tokenizers: {
      summary: 'llama.cpp computes the same tokens and logits from exports with real tokenizers',
      file: './tokenizers/judge-tokenizers.js'
    },
    'llama-cpp': { summary: 'llama.cpp scores a text as Loam does', file: './llama-cpp/llama-cpp-scores.js' },
    merge: { summary: 'this machine merges to the committed digests', file: './kernel/check-merge.js' },
    arm64: {
      summary: 'Node.js for arm64 merges to the committed digests, emulated',
      file: './kernel/check-arm64.js'
    },
    peft: {
      summary: "Hugging Face's PEFT computes with an adapter what Loam computes",
      file: './peft/check-peft.js'
    },
    families: {
      summary:
        'tiny models of every family compute what transformers, PEFT and llama.cpp compute; writes the table',
      file: './families/check-families.js'
    },
    folders: {
      summary:
        'transformers and PEFT compute with folders that Loam writes what Loam computes, with real tokenizers',
      file: './peft/judge-folders.js'
    },
    cases: {
      summary: 'inputs based on public bug reports through the real commands, if ../shared/cases exists',
      file: './cases/check-cases.js'
    },
    remotes: {
      summary: 'third-party remotes give the same tokens as reading one whole row per token',
      file: './remotes/check-remotes.js'
    },
    documents: {
      summary: 'paths, commands, flags, defaults and messages in the documents are in the tree',
      file: './documents/check-documents.js'
    },
    trainer: {
      summary: 'the Python package loam-trainer installs, and passes its own checks and tests',
      file: './trainer/check-trainer.js'
    },
    package: {
      summary: 'the packed package installs with default settings, and works',
      file: './package/check-package.js'
    },
    settings: {
      summary: 'write the table of settings into docs/configuration.md',
      file: './documents/settings.js'
    }
  }
})
