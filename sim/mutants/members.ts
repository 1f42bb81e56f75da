import type { Mutant } from './mutant.ts'

/** Rules on who may send what, who joins and leaves, and evidence. */
export const MEMBER_MUTANTS = {
  signature: {
    rule: 'The envelope check',
    says: 'signatures of messages are not checked',
    file: 'messages/judge.ts',
    find: 'if (!verify(header.author, signedHeaderBytes(header), envelope.signature))',
    replace: 'if (envelope.signature.length === 0)',
    invariant: 'forgery',
    seed: 1
  },
  parent: {
    rule: 'The envelope check',
    says: 'a message may build on any parent',
    file: 'messages/judge.ts',
    find: "if (!equalBytes(header.parent, context.parent)) return ignore('builds on another parent')",
    replace: '',
    invariant: 'parent',
    seed: 1
  },
  membership: {
    rule: 'The envelope check',
    says: 'a key that belongs to no member speaks for the first member',
    file: 'messages/judge.ts',
    find: 'const author = memberIndex(context, header.author)',
    replace: 'const author = Math.max(0, memberIndex(context, header.author))',
    invariant: 'membership',
    seed: 1
  },
  'small-order': {
    rule: '18 One verifier',
    says: 'signatures under a key of small order count',
    file: 'encoding/signature.ts',
    find: 'if (raw === undefined || isSmallOrder(raw)) return undefined',
    replace: 'if (raw === undefined) return undefined',
    invariant: 'forgery',
    seed: 1
  },
  evidence: {
    rule: '10 Evidence',
    says: 'contradictions are not noticed',
    file: 'messages/evidence.ts',
    find: 'if (!samePlace || equalBytes(first.header.payload, second.header.payload)) return undefined',
    replace: 'if (samePlace || !samePlace) return undefined',
    invariant: 'unaccused',
    seed: 1
  },
  admit: {
    rule: '11 Membership',
    says: 'one member alone admits, and evicts',
    file: 'messages/membership.ts',
    find: "return type === 'leave' || admits >= quorum",
    replace: "return type === 'leave' || admits > 0 * quorum",
    invariant: 'admitted',
    seed: 1
  },
  joins: {
    rule: '11 Membership',
    says: 'any number may join in one cut',
    file: 'messages/membership.ts',
    find: 'return Math.max(1, faulty)',
    replace: 'return faulty < 0 ? 0 : Number.POSITIVE_INFINITY',
    invariant: 'admitted',
    seed: 1
  },
  spent: {
    rule: '11 Membership',
    says: 'a membership request may take effect again',
    file: 'messages/membership.ts',
    find: "if (context.spent.some((spent) => equalBytes(spent.id, id))) return 'has already taken effect'",
    replace: '',
    invariant: 'spent',
    seed: 1
  }
} as const satisfies Readonly<Record<string, Mutant>>
