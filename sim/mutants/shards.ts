import type { Mutant } from './mutant.ts'

/** Rules on manifests, endorsements and certificates. */
export const SHARD_MUTANTS = {
  certificate: {
    rule: '1 Endorse once',
    says: 'a certificate needs one endorsement fewer',
    file: 'rules/endorse.ts',
    find: 'const { quorum } = draft.context',
    replace: 'const quorum = draft.context.quorum - 1',
    invariant: 'certified-only',
    seed: 1
  },
  'endorse-once': {
    rule: '1 Endorse once',
    says: 'every manifest of an author is endorsed',
    file: 'rules/endorse.ts',
    find: 'return endorsed.length > 0 ? [] : manifests.slice(0, 1)',
    replace: 'return manifests',
    invariant: 'evidence',
    seed: 2
  },
  'endorse-held': {
    rule: '1 Endorse once',
    says: 'blocks that are missing, or not valid, are endorsed',
    file: 'rules/endorse.ts',
    find: "if (draft.holdings.get(hex(manifest.id)) !== 'valid') continue",
    replace: '',
    invariant: 'endorsed',
    seed: 1
  },
  'held-out': {
    rule: '2 Validate',
    says: 'a harmful update is endorsed in spite of a veto',
    file: 'rules/validate.ts',
    find: 'return after - before <= margin',
    replace: 'return margin >= 0',
    invariant: 'endorsed',
    seed: 1
  },
  samples: {
    rule: '9 Weights',
    says: 'a manifest may claim any number of documents',
    file: 'rules/weights.ts',
    find: 'samples > sampleCap',
    replace: 'samples < 0',
    invariant: 'samples',
    seed: 1
  },
  reveal: {
    rule: '12 Seed',
    says: "a manifest's reveal need not be the next of its chain",
    file: 'rules/validate.ts',
    find: '!isNextReveal(context.members[author]!.anchor, manifest.reveal)',
    replace: '!isNextReveal',
    invariant: 'reveal',
    seed: 1
  },
  retain: {
    rule: '15 Bounds',
    says: 'blocks are dropped as soon as their round is sealed',
    file: 'rules/retain.ts',
    find: 'return sealedRound >= round - retain',
    replace: 'return false',
    invariant: 'stall',
    seed: 1
  }
} as const satisfies Readonly<Record<string, Mutant>>
