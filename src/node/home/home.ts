import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'

/** The paths of a peer's home folder; all are absolute. */
export interface Home {
  readonly folder: string
  /** Secret key, mode 600. */
  readonly identity: string
  readonly charter: string
  readonly config: string
  /** Process id of the last daemon, for people and scripts. */
  readonly pid: string
  /** Names the running daemon that owns the home. */
  readonly lock: string
  readonly log: string
  /** Where the running daemon's control API is. */
  readonly control: string
  /** Its token; a secret, mode 600. */
  readonly controlToken: string
  /** Where members were last seen. */
  readonly addresses: string
  readonly writeAheadLog: string
  /** Blocks by SHA-256. */
  readonly blocks: string
  readonly rounds: string
  /** This peer's own request to join, if it made one. */
  readonly joinRequest: string
  /** The invite that this peer started from, if any: it names a seal that the history must contain. */
  readonly invite: string
  /** Where this peer listened when it last ran. */
  readonly ownAddresses: string
  /** Peers that a relay serves beside its charter's founders: one PeerId per line. */
  readonly allowed: string
  /** Membership requests that the operator supports. */
  readonly membershipRequests: string
  /** The base model if it was fetched from members; the second path holds it during the fetch. */
  readonly base: string
  readonly basePartial: string
  /** Progress of that fetch; exists only during it. */
  readonly baseProgress: string
  /** Text that this peer never trains on. */
  readonly heldOut: string
  /** Training documents, one JSON object with a `text` per line. */
  readonly documents: string
}

/** The paths of a home folder. Does not touch the disk. */
export function homeAt(folder: string): Home {
  const inside = (name: string) => join(resolve(folder), name)
  return {
    folder: resolve(folder),
    identity: inside('identity.json'),
    charter: inside('charter.cbor'),
    config: inside('peer.json'),
    pid: inside('daemon.pid'),
    lock: inside('daemon.lock'),
    log: inside('daemon.log'),
    control: inside('control.json'),
    controlToken: inside('control.token'),
    addresses: inside('addresses.json'),
    writeAheadLog: inside('votes.wal'),
    blocks: inside('blocks'),
    rounds: inside('rounds'),
    joinRequest: inside('join-request.json'),
    invite: inside('invite.cbor'),
    ownAddresses: inside('own-addresses.json'),
    allowed: inside('allowed'),
    membershipRequests: inside('membership-requests'),
    base: inside('base'),
    basePartial: inside('base.partial'),
    baseProgress: inside('base-progress.json'),
    heldOut: inside('heldout.txt'),
    documents: inside('documents.jsonl')
  }
}

/** A round's files: the adapter sent, the stack, the merged modules, and the seal. */
export interface RoundFiles {
  readonly folder: string
  readonly local: string
  readonly stack: string
  readonly model: string
  readonly sealed: string
  readonly norms: string
  /** The part of this peer's update that its shards of the round left out. */
  readonly residual: string
  /** Losses on the held-out text. */
  readonly evaluation: string
}

/** The paths of a round's files. */
export function roundFiles(home: Home, round: number): RoundFiles {
  const folder = join(home.rounds, String(round))
  return {
    folder,
    local: join(folder, 'local.safetensors'),
    stack: join(folder, 'stack.safetensors'),
    model: join(folder, 'model.safetensors'),
    sealed: join(folder, 'sealed.cbor'),
    norms: join(folder, 'norms.json'),
    residual: join(folder, 'residual.safetensors'),
    evaluation: join(folder, 'evaluation.json')
  }
}

/** Creates the missing folders of a home. */
export async function createHomeFolders(home: Home): Promise<void> {
  await mkdir(home.folder, { recursive: true, mode: 0o700 })
  for (const folder of [home.blocks, home.rounds]) await mkdir(folder, { recursive: true })
}
