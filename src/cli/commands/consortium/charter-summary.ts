import { readCharter } from '../../../node/home/charter-file.ts'
import { peerIdText } from '../../../node/storage/peer-id-text.ts'
import {
  baseDigest,
  type Charter,
  committeeFailure,
  consortiumCid,
  describeCommittee,
  describeResilience,
  hex,
  maximumFaulty,
  quorumSize
} from '../../../protocol/index.ts'

/** The terms of a charter, as `--json` prints them. */
export type CharterSummary = Awaited<ReturnType<typeof summariseCharter>>

/**
 * Reads a charter and summarises its terms.
 *
 * @throws {PeerError} when the file is not a valid charter
 */
export async function summariseCharter(path: string) {
  const { charter, id, signatures } = await readCharter(path)
  const { committee } = charter
  const all = charter.members.length
  const count = Math.min(committee?.size ?? all, all)
  const trainers = charter.trainers === 0 ? all : charter.trainers
  return {
    path,
    id: consortiumCid(id),
    name: charter.name,
    members: charter.members.map(({ peer }) => peerIdText(peer)),
    signedBy: signatures.map(({ peer }) => peerIdText(peer)),
    quorum: quorumSize(count),
    faulty: maximumFaulty(count),
    resilience: describeResilience(count),
    trainers,
    committee:
      committee === null ? null : { ...committee, failureProbability: committeeFailure(all, committee) },
    committeePromise: committee === null ? null : describeCommittee(all, committee),
    minShardsAdvice: minShardsAdvice(charter, trainers),
    heldOutVeto: charter.heldOutVeto === false ? null : charter.heldOutVeto,
    heldOutAdvice: heldOutAdvice(charter, quorumSize(count)),
    rule: charter.rule,
    weights: summariseWeights(charter.weights),
    clip: charter.clip ?? 'none',
    dtype: charter.dtype,
    minShards: charter.minShards,
    rank: charter.rank,
    modules: charter.base.modules.map(({ module }) => module),
    base: {
      digest: hex(baseDigest(charter.base.files)),
      files: charter.base.files.map(({ path, bytes, blocks }) => ({ path, bytes, blocks: hex(blocks) })),
      modelDigest: hex(charter.base.modelDigest)
    },
    timeouts: charter.timeouts
  }
}

function minShardsAdvice({ minShards }: Charter, trainers: number): string | null {
  const faulty = maximumFaulty(trainers)
  if (minShards > faulty) return null
  return `minShards ${minShards} lets ${faulty} faulty trainers fill a round alone: set at least ${faulty + 1} to prevent that`
}

function heldOutAdvice({ heldOutVeto, minShards }: Charter, quorum: number): string | null {
  if (heldOutVeto === false) return null
  return (
    `held-out veto at ${heldOutVeto.margin} nats: an update that fewer than ${quorum} members find harmless is left out, ` +
    `and a round with fewer than ${minShards} shards left is void; if members' texts differ a lot, choose a wide margin`
  )
}

type Weights = 'tokens' | 'documents' | 'uniform' | Record<string, number>

function summariseWeights(weights: Charter['weights']): Weights {
  if (!Array.isArray(weights)) return weights ?? 'tokens'
  return Object.fromEntries(weights.map(({ peer, weight }) => [peerIdText(peer), weight]))
}

function describeWeights(weights: Weights): string {
  if (weights === 'uniform') return 'uniform'
  if (typeof weights === 'string') return `by ${weights}`
  return `fixed for ${Object.keys(weights).length} member(s), 1 for others`
}

/** A summary as text. */
export function charterSummaryText(summary: CharterSummary): string {
  return [
    `consortium  ${summary.name}`,
    `id          ${summary.id}`,
    `members     ${summary.members.length}, ${summary.quorum} must agree`,
    ...summary.members.map(
      (member) => `            ${member}${summary.signedBy.includes(member) ? '  (signed)' : ''}`
    ),
    `            ${summary.resilience}`,
    ...(summary.committeePromise === null ? [] : [`            ${summary.committeePromise}`]),
    `trainers    ${summary.trainers} per round`,
    `rule        ${summary.rule}, weights ${describeWeights(summary.weights)}, ${summary.clip === 'none' ? 'updates not clipped' : 'updates clipped to the median norm'}, at least ${summary.minShards} shard(s), rank ${summary.rank.min} to ${summary.rank.max}, sent as ${summary.dtype}`,
    ...(summary.minShardsAdvice === null ? [] : [`            ${summary.minShardsAdvice}`]),
    ...(summary.heldOutAdvice === null ? [] : [`            ${summary.heldOutAdvice}`]),
    `modules     ${summary.modules.length}, ${summary.modules[0]} …`,
    `base        ${summary.base.digest}`,
    ...summary.base.files.map(({ path, bytes }) => `            ${path}, ${bytes} bytes`),
    `times       training ${summary.timeouts.trainMs / 1000} s, gathering ${summary.timeouts.gatherMs / 1000} s`,
    `file        ${summary.path}`
  ].join('\n')
}
